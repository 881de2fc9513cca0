package platform

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestExtend(t *testing.T) {
	t.Parallel()
	base := load(t, "kubernetes")
	ours, err := base.Extend(Changes{ID: "our-cluster", From: ".imglint.yaml:3", Values: map[string][]string{
		"port": {"8080"}, "path": {"/ready"}, "status": {"200-299", "404"}, "host": {"shop.internal"}, "port-env": {"true"},
		"try-timeout": {"2s"}, "boot-window": {"90s"}, "grace": {"5s"}, "architectures": {"arm64"}, "low-ports": {"false"},
		"env": {"STAGE=test"}, "redirects": {"none"}, "says": {"not ready"}, "inside": {"true"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := ours.Target(image("3000"), Overrides{})
	want := facts.Target{
		Platform: "our-cluster", Title: "our-cluster",
		Endpoint: facts.Endpoint{Port: 8080, ChosenBy: "default of our-cluster", Injected: true, Named: true},
		Probe: facts.Probe{Method: "GET", Path: "/ready", Host: "shop.internal", TryTimeout: 2 * time.Second, Loopback: true,
			Accept: []facts.StatusRange{{From: 200, To: 299}, {From: 404, To: 404}}},
		BootWindow: 90 * time.Second, StopGrace: 5 * time.Second, Architectures: []string{"arm64"}, LoopbackReached: true,
		PrivilegedPorts: facts.No, Env: []string{"PORT=8080", "STAGE=test"}, Settings: got.Settings, Says: map[string]string{"": "not ready"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("target (-want +got):\n%s", diff)
	}
	for _, topic := range []Topic{TopicPort, TopicStatus, TopicHost, TopicTry, TopicWindow, TopicRedirect} {
		if text := ours.Doubt(topic, Overrides{}); text != "" {
			t.Errorf("what the user states is doubted: %s", text)
		}
	}
	if diff := cmp.Diff(load(t, "kubernetes").Target(image("3000"), Overrides{}), base.Target(image("3000"), Overrides{})); diff != "" {
		t.Errorf("the base was changed:\n%s", diff)
	}
}

func TestExtendForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		base   string
		values map[string][]string
		ask    string
	}{
		"of its own name":     {"kamal", map[string][]string{"boot-window": {"2m"}}, "80 /up status 200-299 Kamal 2"},
		"an assigned port":    {"docker", map[string][]string{"port-from": {"assigned"}, "port-env": {"true"}}, "24731 / a connection Docker Engine"},
		"a path makes a page": {"fly", map[string][]string{"path": {"/up"}}, "3000 /up status 200-299 Fly.io"},
		"a connection only":   {"kamal", map[string][]string{"ask": {"tcp"}}, "80 /up a connection Kamal 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := load(t, c.base).Extend(Changes{ID: c.base, From: "c:1", Values: c.values})
			if err != nil {
				t.Fatal(err)
			}
			target := p.Target(image("3000"), Overrides{})
			got := strings.Join([]string{facts.Port{Number: target.Endpoint.Port, Protocol: target.Probe.Path}.String(), target.Probe.Accepted(), target.Title}, " ")
			if got = strings.Replace(got, "//", " /", 1); got != c.ask {
				t.Errorf("asks %q, want %q", got, c.ask)
			}
		})
	}
}

// TestExtendRefuses: a config file is checked before, a caller may not be.
func TestExtendRefuses(t *testing.T) {
	t.Parallel()
	for key, values := range map[string][]string{
		"port": {"http"}, "port-from": {"biggest"}, "port-env": {"maybe"}, "status": {"2xx"}, "boot-window": {"soon"},
		"ask": {"gopher"}, "redirects": {"some"}, "colour": {"red"}, "path": {},
	} {
		if _, err := load(t, "fly").Extend(Changes{ID: "x", From: "c:1", Values: map[string][]string{key: values}}); err == nil || !strings.Contains(err.Error(), "extend platform \"fly\"") {
			t.Errorf("%s: %v gives error %v", key, values, err)
		}
	}
}

// TestChangeKeys: every key works on every platform.
func TestChangeKeys(t *testing.T) {
	t.Parallel()
	examples := map[string]string{
		"port": "80", "port-from": "first", "ask": "http", "path": "/", "host": "h", "status": "any", "redirects": "all", "header": "A: b",
		"try-timeout": "1s", "boot-window": "1s", "grace": "1s", "architectures": "arm64", "procfile": "/Procfile", "says": "no", "env": "A=b",
	}
	for _, key := range ChangeKeys() {
		value, ok := examples[key]
		if !ok {
			value = "true"
		}
		for _, name := range Names() {
			if _, err := load(t, name).Extend(Changes{ID: "x", From: "c:1", Values: map[string][]string{key: {value}}}); err != nil {
				t.Errorf("%s: %s: %v", name, key, err)
			}
		}
	}
}
