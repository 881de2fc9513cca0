package manifest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// podSpecs is where the kinds of Kubernetes keep their pod.
// Source: kubernetes.io/docs/reference/kubernetes-api/workload-resources
var podSpecs = map[string][]string{
	"Pod":         {"spec"},
	"Deployment":  {"spec", "template", "spec"},
	"StatefulSet": {"spec", "template", "spec"},
	"DaemonSet":   {"spec", "template", "spec"},
	"ReplicaSet":  {"spec", "template", "spec"},
	"Job":         {"spec", "template", "spec"},
	"CronJob":     {"spec", "jobTemplate", "spec", "template", "spec"},
	"Service":     nil, // of Knative, when it has a template; see below
}

// kubernetesObject reads one object; a List holds several.
func kubernetesObject(root value) []Workload {
	kind := root.get("kind").text()
	if kind == "List" {
		var all []Workload
		for _, item := range root.get("items").items() {
			all = append(all, kubernetesObject(item)...)
		}
		return all
	}
	path, known := podSpecs[kind]
	if !known || kind == "Service" && strings.HasPrefix(root.get("apiVersion").text(), "serving.knative.dev/") {
		path = podSpecs["Deployment"] // as the custom resources that are like one have it
	}
	pod := root.get(path...)
	if path == nil || !pod.exists() {
		return nil
	}
	var all []Workload
	for _, c := range pod.get("containers").items() {
		w := container(c, pod)
		w.Title = fmt.Sprintf("%s %s, container %s", kind, root.get("metadata", "name").text(), w.Name)
		w.Batch = strings.HasSuffix(kind, "Job")
		w.besides(pod)
		all = append(all, w)
	}
	return all
}

// besides notes the pod's other containers, which are not started.
func (w *Workload) besides(pod value) {
	for _, c := range pod.get("initContainers").items() {
		left := finding.NotChecked{What: "the init container " + c.get("name").text(), Why: "it is not started: what it prepares is missing when the image runs"}
		if c.get("restartPolicy").text() == "Always" {
			left = finding.NotChecked{What: "the sidecar " + c.get("name").text(), Why: "it is not started beside the image"}
		}
		w.Left = append(w.Left, left)
	}
	for _, c := range pod.get("containers").items() {
		if name := c.get("name").text(); name != w.Name {
			w.Left = append(w.Left, finding.NotChecked{What: "the container " + name, Why: "it is not started beside the image; --service " + name + " checks it"})
		}
	}
}

func container(c, pod value) Workload {
	w := Workload{
		Platform: "kubernetes", File: c.file, Name: c.get("name").text(), Image: c.get("image").text(),
		At: map[finding.Field]finding.Place{AtName: c.get("name").place()},
	}
	w.environment(c)
	w.command(c)
	for _, p := range c.get("ports").items() {
		port := Port{
			Number: p.get("containerPort").number(0), Name: p.get("name").text(),
			Protocol: strings.ToLower(p.get("protocol").text()), Place: p.get("containerPort").place(),
		}
		if port.Protocol == "" {
			port.Protocol = "tcp"
		}
		w.Ports = append(w.Ports, port)
	}
	for _, kind := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		if p := c.get(kind); p.exists() {
			w.Probes = append(w.Probes, w.probe(kind, p))
		}
	}
	w.limits(c)
	w.security(c, pod)
	return w
}

// command: "command" is the entrypoint, and without "args" nothing of the
// image's CMD is left.
func (w *Workload) command(c value) {
	if command := c.get("command"); command.exists() {
		w.Entrypoint, w.Cmd = expandAll(command.texts(), w.Env), []string{}
		w.At[finding.FieldEntrypoint], w.At[finding.FieldCmd] = first(command).place(), first(command).place()
	}
	if args := c.get("args"); args.exists() {
		w.Cmd = expandAll(args.texts(), w.Env)
		w.At[finding.FieldCmd] = first(args).place()
	}
}

// first is the list's first element, which tells the line better than the list.
func first(list value) value {
	if items := list.items(); len(items) > 0 {
		return items[0]
	}
	return list
}

// probe reads one, with Kubernetes' own defaults.
func (w *Workload) probe(kind string, p value) Probe {
	out := Probe{
		Kind: kind, Place: p.place(),
		Initial: p.get("initialDelaySeconds").seconds(0), Period: p.get("periodSeconds").seconds(10),
		Timeout: p.get("timeoutSeconds").seconds(1), Failures: p.get("failureThreshold").number(3),
	}
	switch {
	case p.get("httpGet").exists():
		w.httpGet(&out, p.get("httpGet"))
	case p.get("tcpSocket").exists():
		out.Ask = AskTCP
		w.port(&out, p.get("tcpSocket", "port"))
	case p.get("grpc").exists():
		out.Ask = AskGRPC
		w.port(&out, p.get("grpc", "port"))
	case p.get("exec").exists():
		out.Ask = AskExec
	default:
		p.fault("%s asks nothing: httpGet, tcpSocket, grpc or exec is missing", kind)
	}
	return out
}

func (w *Workload) httpGet(out *Probe, get value) {
	out.Ask, out.Path = AskHTTP, get.get("path").text()
	if out.Path == "" {
		out.Path = "/"
	}
	if out.PathPlace = get.get("path").place(); out.PathPlace.Line == 0 {
		out.PathPlace = get.place()
	}
	out.TLS = strings.EqualFold(get.get("scheme").text(), "HTTPS")
	for _, h := range get.get("httpHeaders").items() {
		if strings.EqualFold(h.get("name").text(), "Host") {
			out.Host = h.get("value").text()
			continue
		}
		out.Headers = append(out.Headers, h.get("name").text()+": "+h.get("value").text())
	}
	w.port(out, get.get("port"))
}

// port reads a number, or the name of one of the container's ports.
func (w *Workload) port(out *Probe, port value) {
	if !port.exists() {
		return
	}
	out.PortPlace = port.place()
	if n, err := strconv.Atoi(port.text()); err == nil {
		out.Port = n
		return
	}
	for _, p := range w.Ports {
		if p.Name == port.text() {
			out.Port = p.Number
			return
		}
	}
	port.fault("%s asks port %q, which no port of container %s is called", out.Kind, port.text(), w.Name)
}

func (w *Workload) limits(c value) {
	limit := c.get("resources", "limits", "memory")
	if !limit.exists() {
		return
	}
	bytes, ok := quantity(limit.text())
	if !ok {
		limit.fault("memory %q is not a quantity", limit.text())
		return
	}
	w.Memory, w.At[AtMemory] = bytes, limit.place()
}

// factors are the suffixes of Kubernetes' quantities.
var factors = map[string]float64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e-3,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

func quantity(text string) (int64, bool) {
	i := strings.LastIndexAny(text, "0123456789.") + 1
	factor, known := factors[text[i:]]
	number, err := strconv.ParseFloat(text[:i], 64)
	return int64(math.Ceil(number * factor)), known && err == nil && number > 0
}

// security: the container's own settings win over the pod's.
func (w *Workload) security(c, pod value) {
	own, shared := c.get("securityContext"), pod.get("securityContext")
	pick := func(key string) value {
		if v := own.get(key); v.exists() {
			return v
		}
		return shared.get(key)
	}
	if user := pick("runAsUser"); user.exists() {
		w.User, w.At[finding.FieldUser] = user.text(), user.place()
		if group := pick("runAsGroup"); group.exists() {
			w.User += ":" + group.text()
		}
	}
	if nonRoot := pick("runAsNonRoot"); nonRoot.truth() {
		w.NonRoot, w.At[AtNonRoot] = true, nonRoot.place()
	}
	w.ReadOnly = own.get("readOnlyRootFilesystem").truth()
}
