package platform

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func load(t *testing.T, name string) *Platform {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func image(ports ...string) facts.Image {
	var img facts.Image
	for _, text := range ports {
		p, err := facts.ParsePort(text)
		if err != nil {
			panic(err)
		}
		img.Config.Exposed = append(img.Config.Exposed, p)
	}
	facts.SortPorts(img.Config.Exposed)
	return img
}

func TestEveryPlatformIsUsable(t *testing.T) {
	t.Parallel()
	names := Names()
	if len(names) < 22 || !slices.IsSorted(names) {
		t.Fatalf("Names() = %v", names)
	}
	for _, name := range names {
		p := load(t, name)
		got := p.Target(image("3000", "80"), Overrides{Port: 3000})
		if !got.Endpoint.Explicit || got.Endpoint.Port != 3000 {
			t.Errorf("%s: --port gives %+v", name, got.Endpoint)
		}
		if got.BootWindow <= 0 || got.Probe.TryTimeout <= 0 || got.Probe.Method == "" || !strings.HasPrefix(got.Probe.Path, "/") {
			t.Errorf("%s: not a usable target: %+v", name, got)
		}
		if withPath := p.Target(image("80"), Overrides{Path: "up"}); withPath.Probe.Path != "/up" {
			t.Errorf("%s: --path up asks %q", name, withPath.Probe.Path)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	buildkit := image("9000", "80")
	buildkit.History = []facts.History{{CreatedBy: "EXPOSE [53/udp 9000/tcp]"}, {CreatedBy: "EXPOSE [80/tcp]"}}
	classic := image("9000", "80")
	classic.History = []facts.History{{CreatedBy: "/bin/sh -c #(nop)  EXPOSE 80 9000"}}
	lines := image("9000", "80")
	lines.History = []facts.History{{CreatedBy: "/bin/sh -c #(nop)  EXPOSE 9000"}, {CreatedBy: "/bin/sh -c #(nop)  EXPOSE 80"}}
	line := image("9000", "80")
	line.History = []facts.History{{CreatedBy: "EXPOSE [80/tcp 9000/tcp]"}}
	old := image("9000", "80")
	old.History = []facts.History{{CreatedBy: "EXPOSE map[80/tcp:{} 9000/tcp:{}]"}}
	lost := "lowest exposed port, because the image does not keep the order of EXPOSE"
	tests := []struct {
		name, platform string
		img            facts.Image
		port           int
		by             string
		assumed        bool
	}{
		{"443 sorts before 80", "aptible", image("80", "443"), 443, "lowest exposed port, compared as text", false},
		{"3000 sorts before 443", "aptible", image("80", "443", "3000"), 3000, "lowest exposed port, compared as text", false},
		{"udp takes no part", "aptible", image("1053/udp", "8080"), 8080, "only exposed port", false},
		{"only udp", "aptible", image("53/udp"), 0, "no tcp port is exposed", false},
		{"nothing", "aptible", image(), 0, "no tcp port is exposed", false},
		{"first, one line sorted by BuildKit", "cloud-foundry", line, 80, lost, true},
		{"first, two lines by BuildKit", "cloud-foundry", buildkit, 9000, "first exposed port", false},
		{"first, one line sorted by the classic builder", "cloud-foundry", classic, 80, lost, true},
		{"first, two lines by the classic builder", "cloud-foundry", lines, 9000, "first exposed port", false},
		{"first, a sorted map", "cloud-foundry", old, 80, lost, true},
		{"first, none", "cloud-foundry", image(), 8080, "default of Cloud Foundry", false},
		{"configured with a default", "cloud-run", image("3000"), 8080, "default of Google Cloud Run", false},
		{"configured without one", "kubernetes", image("3000"), 3000, "only exposed port", true},
		{"configured, nothing exposed", "kubernetes", image(), 0, "named when deploying: give --port", false},
		{"assigned", "heroku", image("3000"), 24731, "PORT, which Heroku assigns (24731 stands in)", false},
		{"default", "dokku", image(), 5000, "default of Dokku", false},
		{"documentation only", "docker", image("443", "80"), 80, "lowest exposed port", false},
		{"documentation only, and nothing in it", "docker", image(), 0, "any open port: none is exposed", false},
		{"lowest number", "dokku", image("443", "80"), 80, "lowest exposed port", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, test.platform).Target(test.img, Overrides{})
			want := facts.Endpoint{Port: test.port, ChosenBy: test.by, Injected: got.Endpoint.Injected, Named: got.Endpoint.Named, Scanned: got.Endpoint.Scanned, Others: got.Endpoint.Others}
			if diff := cmp.Diff(want, got.Endpoint); diff != "" {
				t.Errorf("endpoint (-want +got):\n%s", diff)
			}
			about := slices.ContainsFunc(got.Assumed, func(s string) bool { return strings.HasPrefix(s, "port ") })
			if about != test.assumed {
				t.Errorf("assumed %q, want one about the port: %v", got.Assumed, test.assumed)
			}
		})
	}
}

func TestEveryExposedPort(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]int{
		"cloud-foundry": {80}, // 9000 is the first
		"dokku":         {9000},
		"koyeb":         nil, // a list of its own
		"fly":           nil,
	} {
		img := image("9000", "80", "53/udp")
		img.History = []facts.History{{CreatedBy: "EXPOSE [9000/tcp]"}, {CreatedBy: "EXPOSE [53/udp 80/tcp]"}}
		if got := load(t, name).Target(img, Overrides{}).Endpoint.Others; !slices.Equal(got, want) {
			t.Errorf("%s asks %v besides, want %v", name, got, want)
		}
		if got := load(t, name).Target(img, Overrides{Port: 80}).Endpoint.Others; got != nil {
			t.Errorf("%s with --port asks %v besides, want none", name, got)
		}
	}
}

// TestOrderOfTheDockerfile: it is asked where the image does not keep it.
func TestOrderOfTheDockerfile(t *testing.T) {
	t.Parallel()
	sorted := image("9000", "80")
	sorted.History = []facts.History{{CreatedBy: "/bin/sh -c #(nop)  EXPOSE 80 9000"}}
	fly := load(t, "fly")
	if fly.OrderKept(sorted) || !fly.OrderKept(image("80")) || !load(t, "aptible").OrderKept(sorted) {
		t.Error("OrderKept is wrong")
	}
	got := fly.Target(sorted, Overrides{Order: []int{443, 9000, 80}})
	want := facts.Endpoint{Port: 9000, ChosenBy: "first exposed port of the Dockerfile"}
	if diff := cmp.Diff(want, got.Endpoint); diff != "" {
		t.Errorf("endpoint (-want +got):\n%s", diff)
	}
	if slices.ContainsFunc(got.Assumed, func(s string) bool { return strings.HasPrefix(s, "port ") }) {
		t.Errorf("assumed %q, though the Dockerfile tells", got.Assumed)
	}
}

func TestAptibleTarget(t *testing.T) {
	t.Parallel()
	got := load(t, "aptible").Target(image("8000"), Overrides{})
	want := facts.Target{
		Platform:      "aptible",
		Title:         "Aptible",
		Endpoint:      facts.Endpoint{Port: 8000, ChosenBy: "only exposed port"},
		Probe:         facts.Probe{Method: "GET", Path: "/", Host: "containers", TryTimeout: time.Minute},
		BootWindow:    3 * time.Minute,
		MaxBootWindow: 15 * time.Minute,
		StopGrace:     10 * time.Second,
		Env:           []string{"APTIBLE_PROCESS_TYPE=cmd"},
		Settings: facts.Settings{
			Port:       []string{"aptible endpoints:https:modify --port PORT", "container_port (Terraform)"},
			BootWindow: []string{"--release-healthcheck-timeout", "RELEASE_HEALTHCHECK_TIMEOUT"},
			Strict:     []string{"--strict-health-checks", "STRICT_HEALTH_CHECKS=true"},
		},
		Assumed: []string{"1m0s for one try"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	strict := load(t, "aptible").Target(image("8000"), Overrides{Strict: true, BootWindow: 6 * time.Second})
	wantProbe := facts.Probe{Method: "GET", Path: "/healthcheck", Host: "containers", Accept: []facts.StatusRange{{From: 200, To: 200}}, TryTimeout: time.Minute}
	if diff := cmp.Diff(wantProbe, strict.Probe); diff != "" {
		t.Errorf("strict probe (-want +got):\n%s", diff)
	}
	if strict.BootWindow != 6*time.Second {
		t.Errorf("boot window = %v, want the override", strict.BootWindow)
	}
}

func TestProbeForms(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, platform string
		o              Overrides
		want           facts.Probe
		env            []string
	}{
		{"tcp by default", "cloud-run", Overrides{},
			facts.Probe{TCP: true, Method: "GET", Path: "/", TryTimeout: 4 * time.Minute}, []string{"PORT=8080"}},
		{"http with a path", "cloud-run", Overrides{Path: "/ready"},
			facts.Probe{Method: "GET", Path: "/ready", Accept: []facts.StatusRange{{From: 200, To: 399}}, TryTimeout: 4 * time.Minute}, []string{"PORT=8080"}},
		{"its own Host header", "railway", Overrides{Path: "/up"},
			facts.Probe{Method: "GET", Path: "/up", Host: "healthcheck.railway.app", Accept: []facts.StatusRange{{From: 200, To: 200}}, TryTimeout: time.Minute}, []string{"PORT=24731"}},
		{"the container's address as Host", "kamal", Overrides{},
			facts.Probe{Method: "GET", Path: "/up", Accept: []facts.StatusRange{{From: 200, To: 299}}, TryTimeout: 5 * time.Second, Follow: facts.FollowAll}, nil},
		{"asked inside by a command", "coolify", Overrides{},
			facts.Probe{Method: "GET", Path: "/", Host: "localhost", Accept: []facts.StatusRange{{From: 200, To: 399}}, TryTimeout: 5 * time.Second, Loopback: true},
			[]string{"PORT=3000", "HOST=0.0.0.0"}},
		{"a header of its own", "cloud-foundry", Overrides{Path: "/up"},
			facts.Probe{Method: "GET", Path: "/up", Accept: []facts.StatusRange{{From: 200, To: 200}}, TryTimeout: time.Second, Headers: []string{"X-Forwarded-Proto: https"}, Follow: facts.FollowAll},
			[]string{"PORT=3000"}},
		{"the port that was named is handed out", "heroku", Overrides{Port: 9999},
			facts.Probe{TCP: true, Method: "GET", Path: "/", TryTimeout: time.Minute}, []string{"PORT=9999"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, test.platform).Target(image("3000"), test.o)
			if diff := cmp.Diff(test.want, got.Probe); diff != "" {
				t.Errorf("probe (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.env, got.Env); diff != "" {
				t.Errorf("env (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadNames(t *testing.T) {
	t.Parallel()
	if p := load(t, "Cloud_Run"); p.ID != "cloud-run" {
		t.Errorf("Load(Cloud_Run) is %q", p.ID)
	}
	for name, near := range map[string]string{"aptibel": "aptible", "heruko": "heroku", "beanstalk": "elastic-beanstalk", "zzz": ""} {
		_, err := Load(name)
		var unknown *UnknownError
		if !errors.As(err, &unknown) || unknown.Close != near {
			t.Errorf("Load(%q) = %v, want %q near", name, err, near)
		}
	}
	if _, err := Load("zzz"); err == nil || !strings.Contains(err.Error(), "aptible, ") {
		t.Errorf("an error with nothing near has to list the names: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := catalogue.ReadFile("catalogue/aptible.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"an unknown key", "  min: ", "  minimum: ", "minimum"},
		{"a claim without confidence", "{value: GET, confidence: documented, source: checks}", "{value: GET, source: checks}", "Probe.Default.Method"},
		{"a source that is not listed", "{value: 180, confidence: documented, source: checks}", "{value: 180, confidence: documented, source: hearsay}", "hearsay"},
		{"a status that is none", `{value: "200", `, `{value: "2xx", `, "2xx"},
		{"an unknown choice", "value: lowest-text", "value: biggest", "biggest"},
		{"an unknown protocol", "{value: http, ", "{value: gopher, ", "gopher"},
		{"another platform's file", "id: aptible", "id: heroku", "heroku"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(string(good), test.old, test.new, 1)
			if text == string(good) {
				t.Fatalf("nothing to replace: %q", test.old)
			}
			if _, err := decode("aptible", []byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("decode says %v, want it to name %q", err, test.want)
			}
		})
	}
}
