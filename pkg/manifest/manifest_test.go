package manifest

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/finding"
)

const deployment = `apiVersion: v1
kind: Service
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1}
      containers:
        - name: app
          image: registry.example/shop:1
          command: ["/ep", "$(GREETING)"]
          args: ["--port", "$$(PORT)", "$(NOBODY)"]
          env:
            - {name: GREETING, value: hello}
            - {name: BOTH, value: "$(GREETING) you"}
            - name: SECRET
              valueFrom: {secretKeyRef: {name: db, key: url}}
          envFrom:
            - configMapRef: {name: settings}
          ports:
            - {name: web, containerPort: 8080}
            - {containerPort: 53, protocol: UDP}
          securityContext: {runAsUser: 1000, runAsGroup: 7, readOnlyRootFilesystem: true}
          startupProbe:
            httpGet:
              port: web
              httpHeaders: [{name: Host, value: shop.example}, {name: X-Check, value: "1"}]
            initialDelaySeconds: 5
            failureThreshold: 30
          livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 2, timeoutSeconds: 3}
          readinessProbe: {exec: {command: [cat, /ready]}}
          resources: {limits: {memory: 1.5Gi}}
        - name: proxy
          image: envoy
`

func parse(t *testing.T, text string) []Workload {
	t.Helper()
	all, err := Parse("deploy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	all := parse(t, deployment)
	if len(all) != 2 || all[1].Name != "proxy" || all[1].Entrypoint != nil || all[1].Cmd != nil {
		t.Fatalf("workloads %+v", all)
	}
	got := all[0]
	line := func(p finding.Place) int { return p.Line }
	lines := map[string]int{
		"name": line(got.At[AtName]), "command": line(got.At[finding.FieldEntrypoint]), "args": line(got.At[finding.FieldCmd]),
		"user": line(got.At[finding.FieldUser]), "memory": line(got.At[AtMemory]), "non-root": line(got.At[AtNonRoot]),
		"port": line(got.Ports[0].Place), "probe": line(got.Probes[0].Place), "probe port": line(got.Probes[0].PortPlace),
		"probe path": line(got.Probes[0].PathPlace),
	}
	want := map[string]int{"name": 14, "command": 16, "args": 17, "user": 28, "memory": 37, "non-root": 12, "port": 26, "probe": 30, "probe port": 31, "probe path": 31}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if p := got.Ports[0].Place; p.Source[p.Column-1:p.EndColumn-1] != "8080" {
		t.Errorf("the port is marked at %+v", p)
	}
	got.At = nil
	for i := range got.Ports {
		got.Ports[i].Place = finding.Place{}
	}
	for i := range got.Probes {
		p := &got.Probes[i]
		p.Place, p.PortPlace, p.PathPlace = finding.Place{}, finding.Place{}, finding.Place{}
	}
	second := time.Second
	if diff := cmp.Diff(Workload{
		Platform: "kubernetes", File: "deploy.yaml", Title: "Deployment shop, container app", Name: "app", Image: "registry.example/shop:1",
		Entrypoint: []string{"/ep", "hello"}, Cmd: []string{"--port", "$(PORT)", "$(NOBODY)"},
		Env: []string{"GREETING=hello", "BOTH=hello you"}, Elsewhere: []string{"those of configMap settings", "SECRET"},
		Left:  []finding.NotChecked{{What: "the container proxy", Why: "it is not started beside the image; --service proxy checks it"}},
		Ports: []Port{{Number: 8080, Name: "web", Protocol: "tcp"}, {Number: 53, Protocol: "udp"}},
		Probes: []Probe{
			{Kind: "startupProbe", Ask: AskHTTP, Port: 8080, Path: "/", Host: "shop.example", Headers: []string{"X-Check: 1"}, Initial: 5 * second, Period: 10 * second, Timeout: second, Failures: 30},
			{Kind: "readinessProbe", Ask: AskExec, Period: 10 * second, Timeout: second, Failures: 3},
			{Kind: "livenessProbe", Ask: AskTCP, Port: 8080, Period: 2 * second, Timeout: 3 * second, Failures: 3},
		},
		Memory: 1610612736, User: "1000:7", NonRoot: true, ReadOnly: true,
	}, got); diff != "" {
		t.Errorf("workload (-want +got):\n%s", diff)
	}
	if p := got.Probes[0].Patience(); p != 305*second {
		t.Errorf("patience %v", p)
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	all := parse(t, `x-base: &base
  environment: {LEVEL: "${LEVEL:-info}", SECRET: }
services:
  web:
    <<: *base
    image: shop
    entrypoint: /ep --flag
    command: gunicorn --bind "0.0.0.0:$$PORT" 'a b'
    user: "1000"
    read_only: true
    ports: ["127.0.0.1:8080:80/tcp", {target: 9100, published: "91"}, "53:53/udp", "3000-3001"]
    env_file: .env
    healthcheck:
      test: curl -f http://localhost:81/up || exit 1
      interval: 5s
      start_period: 1m
    deploy: {resources: {limits: {memory: 64m}}}
  worker:
    environment: [A=1, B]
    healthcheck: {disable: true, test: ["CMD", "x"]}
`)
	if len(all) != 2 {
		t.Fatalf("%d services", len(all))
	}
	web, worker := all[0], all[1]
	web.At = nil
	for i := range web.Ports {
		web.Ports[i].Place = finding.Place{}
	}
	probe := web.Probes[0]
	if probe.Place.Line != 14 || probe.Patience() != 75*time.Second {
		t.Errorf("healthcheck at %d, patience %v", probe.Place.Line, probe.Patience())
	}
	probe.Place, probe.PortPlace, probe.PathPlace = finding.Place{}, finding.Place{}, finding.Place{}
	web.Probes = []Probe{probe}
	if diff := cmp.Diff(Workload{
		Platform: "compose", File: "deploy.yaml", Title: "service web", Name: "web", Image: "shop",
		Entrypoint: []string{"/ep", "--flag"}, Cmd: []string{"gunicorn", "--bind", "0.0.0.0:$PORT", "a b"},
		Env: []string{"LEVEL=info"}, Elsewhere: []string{"those of env_file .env", "SECRET"},
		Ports:  []Port{{Number: 80, Protocol: "tcp"}, {Number: 9100, Protocol: "tcp"}, {Number: 53, Protocol: "udp"}},
		Probes: []Probe{{Kind: "healthcheck", Ask: AskExec, Port: 81, Path: "/up", Initial: time.Minute, Period: 5 * time.Second, Timeout: 30 * time.Second, Failures: 3}},
		Memory: 64 << 20, User: "1000", ReadOnly: true,
	}, web); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	if worker.Entrypoint != nil || len(worker.Probes) != 0 || !cmp.Equal(worker.Env, []string{"A=1"}) || !cmp.Equal(worker.Elsewhere, []string{"B"}) {
		t.Errorf("worker %+v", worker)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	pod := "kind: Pod\napiVersion: v1\nspec:\n  containers:\n  - name: a\n    "
	tests := map[string]struct{ text, want string }{
		"no yaml":        {"a: [", "deploy.yaml"},
		"a port by name": {pod + "readinessProbe: {httpGet: {port: web}}", `deploy.yaml:6: readinessProbe asks port "web", which no port of container a is called`},
		"a number":       {pod + "livenessProbe: {tcpSocket: {port: 1}, periodSeconds: often}", `"often" is not a number`},
		"a quantity":     {pod + "resources: {limits: {memory: lots}}", `memory "lots" is not a quantity`},
		"an empty probe": {pod + "startupProbe: {periodSeconds: 1}", "startupProbe asks nothing"},
		"a duration":     {"services: {a: {healthcheck: {test: [CMD, x], interval: 5}}}", `"5" is not a duration`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse("deploy.yaml", []byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse says %v, want %q in it", err, test.want)
			}
		})
	}
	for name, text := range map[string]string{"nothing": "", "another object": "kind: ConfigMap\napiVersion: v1\n", "a list": "[1]", "itself": "&a {<<: *a, kind: Pod}"} {
		if _, err := Parse("x.yaml", []byte(text)); !errors.Is(err, ErrNoWorkload) {
			t.Errorf("%s: Parse says %v, want ErrNoWorkload", name, err)
		}
	}
}

// FuzzParse: whatever a file holds, reading it ends without a panic, and what
// is placed is in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(deployment))
	f.Add([]byte("services: {a: {command: \"x ${Y:-z} $$\", ports: [\"1:2\", 3], healthcheck: {test: curl http://localhost}}}"))
	f.Add([]byte("kind: List\nitems: [{kind: Pod, spec: {containers: [{name: é, ports: [{containerPort: 1}]}]}}]"))
	f.Add([]byte("&s {<<: *s, services: &t {<<: [*t, *s], a: *s}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Parse("f", text)
		if err != nil {
			return
		}
		for _, w := range all {
			for _, p := range w.At {
				if p.Line > 0 && !strings.Contains(string(text), p.Source) {
					t.Errorf("line %d is %q, which is not in the file", p.Line, p.Source)
				}
			}
		}
	})
}

// around holds files, and variables, and nothing else.
func around(variables map[string]string, files map[string]string) Around {
	return Around{
		Lookup: func(name string) (string, bool) { text, ok := variables[name]; return text, ok },
		Read: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
	}
}

func TestComposeInterpolation(t *testing.T) {
	t.Parallel()
	const text = `services:
  shop:
    image: "shop:${TAG:-latest}"
    command: ["--port", "${PORT:-8000}", "--host=$HOST", "$$HOME", "${NOWHERE}"]
    environment:
      MODE: ${MODE-plain}
      PASSED:
    env_file:
      - app.env
      - {path: missing.env, required: false}
    ports: ["${PUBLISHED:-80}:${PORT:-8000}"]
    mem_limit: ${MEMORY:-256m}
    depends_on: {db: {condition: service_healthy}}
    extends: {service: base}
`
	all, err := ParseIn("compose.yaml", []byte(text), around(
		map[string]string{"PORT": "9000", "HOST": "0.0.0.0", "PASSED": "on"},
		map[string]string{"app.env": "# settings\nexport A=1\nB=\"${A} and ${PORT}\"\nMODE=file\n"}))
	if err != nil {
		t.Fatal(err)
	}
	got := all[0]
	want := Workload{
		Image: "shop:latest", Cmd: []string{"--port", "9000", "--host=0.0.0.0", "$HOME", ""},
		Env: []string{"A=1", "B=1 and 9000", "MODE=file", "MODE=plain", "PASSED=on"}, Unset: []string{"NOWHERE"}, Memory: 256 << 20,
		Left: []finding.NotChecked{
			{What: "service shop where it extends another", Why: "that is not read: give what docker compose config prints"},
			{What: "what it depends on (db)", Why: "imglint starts the one image only"},
		},
	}
	if got.Ports[0].Number != 9000 {
		t.Errorf("port %d, want 9000", got.Ports[0].Number)
	}
	got = Workload{Image: got.Image, Cmd: got.Cmd, Env: got.Env, Unset: got.Unset, Memory: got.Memory, Left: got.Left, Elsewhere: got.Elsewhere}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	for name, wrong := range map[string]string{
		"compose.yaml:3: required variable TAG": "services:\n  shop:\n    image: shop:${TAG:?name one}\n",
		"env_file: file does not exist":         "services:\n  shop:\n    image: shop\n    env_file: missing.env\n",
	} {
		if _, err := ParseIn("compose.yaml", []byte(wrong), around(nil, nil)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q in it", err, name)
		}
	}
}

// TestKubernetesAround: init containers, sidecars, neighbours, and what the
// same file holds in a ConfigMap or a Secret.
func TestKubernetesAround(t *testing.T) {
	t.Parallel()
	const text = `apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {LEVEL: info}}
  - {apiVersion: v1, kind: Secret, metadata: {name: db}, data: {url: cG9zdGdyZXM6Ly8=}, stringData: {user: shop}}
  - apiVersion: argoproj.io/v1alpha1
    kind: Rollout
    metadata: {name: shop}
    spec:
      template:
        spec:
          initContainers:
            - {name: migrate, image: shop}
            - {name: mesh, image: mesh, restartPolicy: Always}
          containers:
            - name: app
              image: shop
              envFrom: [{configMapRef: {name: settings}, prefix: APP_}]
              env:
                - {name: URL, valueFrom: {secretKeyRef: {name: db, key: url}}}
                - {name: USER, valueFrom: {secretKeyRef: {name: db, key: user}}}
                - {name: GONE, valueFrom: {secretKeyRef: {name: db, key: gone}}}
            - {name: proxy, image: envoy}
  - apiVersion: batch/v1
    kind: CronJob
    metadata: {name: clean}
    spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: clean, image: shop}]}}}}}
`
	all := parse(t, text)
	if len(all) != 3 || all[0].Title != "Rollout shop, container app" || all[0].Batch || !all[2].Batch {
		t.Fatalf("workloads %+v", all)
	}
	got := Workload{Env: all[0].Env, Elsewhere: all[0].Elsewhere, Left: all[0].Left}
	want := Workload{
		Env: []string{"APP_LEVEL=info", "URL=postgres://", "USER=shop"}, Elsewhere: []string{"GONE"},
		Left: []finding.NotChecked{
			{What: "the init container migrate", Why: "it is not started: what it prepares is missing when the image runs"},
			{What: "the sidecar mesh", Why: "it is not started beside the image"},
			{What: "the container proxy", Why: "it is not started beside the image; --service proxy checks it"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rollout (-want +got):\n%s", diff)
	}
}

func TestParseSaysWhatToGive(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"give what kubectl kustomize prints": "kind: Kustomization\nresources: [deploy.yaml]\n",
		"give what helm template prints":     "kind: Deployment\nspec: {{ toYaml .Values }}\n",
		"no workload":                        "kind: Service\napiVersion: v1\n",
	} {
		if _, err := Parse("m.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
