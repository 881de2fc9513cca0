package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// outcome is what a run comes to, whichever way it was watched.
type outcome struct {
	Way     facts.Way
	Stopped facts.Stop
	Code    int // -1: it runs
	Scope   facts.Scope
	Outside facts.Class // of the endpoint, when asked from outside
	Owner   string
}

func outcomeOf(seen facts.Run) outcome {
	o := outcome{Way: seen.Way, Stopped: seen.Stopped, Code: -1}
	if seen.Exit != nil {
		// Whether one that ended was joined before is a matter of luck.
		o.Way, o.Code = "", seen.Exit.Code
		return o
	}
	for _, l := range seen.Open() {
		if l.Port == 8000 {
			o.Scope = l.Scope()
			o.Owner = strings.Join(l.Argv, " ")
		}
	}
	for _, a := range seen.Answers(8000) {
		if !a.Answer.Loopback() {
			o.Outside = a.Answer.Class
		}
	}
	return o
}

// programs are what every way is tried with; the test image is FROM scratch
// and its program static.
var programs = []struct {
	name string
	argv []string
}{
	{"good", []string{"/app", "serve", ":8000"}},
	{"loopback", []string{"/app", "serve", "127.0.0.1:8000"}},
	{"crash", []string{"/app", "exit", "3", "no such table"}},
	{"late crash", []string{"/app", "later", "3", "no such table"}},
	{"daemon", []string{"/app", "daemonize", ":8000"}},
}

// TestWays refuses what the better ways need, and wants the next one to see
// what it can, and to claim no more.
func TestWays(t *testing.T) {
	t.Parallel()
	const server, local = "/app serve :8000", "/app serve 127.0.0.1:8000"
	served := func(w facts.Way, owned bool) []outcome {
		all := []outcome{
			{w, facts.StopAnswered, -1, facts.ScopeAny, facts.ClassHTTP, server},
			{w, facts.StopProof, -1, facts.ScopeLoopback, facts.ClassRefused, local},
			{"", facts.StopExited, 3, "", "", ""},
			{"", facts.StopExited, 3, "", "", ""},
			{"", facts.StopExited, 0, "", "", ""},
		}
		if !owned {
			all[0].Owner, all[1].Owner = "", ""
		}
		return all
	}
	unseen := []outcome{
		{facts.WayLogs, facts.StopQuiet, -1, "", "", ""}, {facts.WayLogs, facts.StopQuiet, -1, "", "", ""},
		{"", facts.StopExited, 3, "", "", ""}, {"", facts.StopExited, 3, "", "", ""}, {"", facts.StopExited, 0, "", "", ""},
	}
	tests := []struct {
		name   string
		refuse []func(request) bool
		want   []outcome
		blind  string // of the good one
	}{
		{"nothing is refused", nil, served(facts.WayCell, true), ""},
		{"no network without a way out", []func(request) bool{noNetwork}, served(facts.WayAlone, true), "the engine's own network"},
		{"no joining", []func(request) bool{noJoining}, served(facts.WayAlone, true), "the engine's own network"},
		{"no other entrypoint", []func(request) bool{noEntrypoint}, served(facts.WaySidecar, true), "from a container beside it"},
		{"nothing mounted", []func(request) bool{noMounts}, served(facts.WaySidecar, true), "from a container beside it"},
		{"no shared processes", []func(request) bool{noEntrypoint, noProcesses}, served(facts.WaySidecar, false), "does not let containers share processes"},
		{"nobody beside it", []func(request) bool{noEntrypoint, noJoining}, unseen, "only its log and its end"},
		{"no image of the probe", []func(request) bool{noEntrypoint, noImport}, unseen, "only its log and its end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := connect(t, func(o *Options) { o.Host = refusing(t, tt.refuse...) })
			im := open(t, e, makeImage(t, e, nil))
			for i, p := range programs {
				seen, err := im.Observe(t.Context(), waySpec(p.argv), nil)
				if err != nil {
					t.Fatalf("%s: %v", p.name, err)
				}
				if diff := cmp.Diff(tt.want[i], outcomeOf(seen)); diff != "" {
					t.Errorf("%s (-want +got):\n%s\n%+v", p.name, diff, seen)
				}
				if i == 0 && !strings.Contains(strings.Join(seen.Blind, "\n"), tt.blind) || i == 0 && tt.blind == "" && seen.Blind != nil {
					t.Errorf("said %q, want %q", seen.Blind, tt.blind)
				}
			}
		})
	}
}

func waySpec(argv []string) run.Spec {
	spec := runSpec(argv...)
	spec.Brief = true
	spec.Target.BootWindow = 2 * time.Second
	if slices.Contains(argv, "127.0.0.1:8000") {
		spec.Expect = facts.Prediction{Complete: true, Listens: []facts.Listen{{Network: "tcp", Port: 8000, Scope: facts.ScopeLoopback}}}
	}
	return spec
}

// TestWaysLeaveNothing: also the image of the probe is gone after its engine
// was closed.
func TestWaysLeaveNothing(t *testing.T) {
	t.Parallel()
	host := refusing(t, noEntrypoint)
	e, err := Connect(t.Context(), Options{Host: host, Probe: func(string) ([]byte, error) { return testProbe() }})
	if err != nil {
		t.Fatal(err)
	}
	im, err := e.Open(t.Context(), makeImage(t, e, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.Observe(t.Context(), waySpec([]string{"/app", "serve", ":8000"}), nil); err != nil {
		t.Error(err)
	}
	if err := im.Close(context.Background()); err != nil {
		t.Error(err)
	}
	id := e.sidecars.id
	if id == "" {
		t.Fatal("no image of the probe was made")
	}
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
	after := connect(t, static)
	if _, err := after.api.inspectImage(t.Context(), id); !isKind(err, KindRefused) {
		t.Errorf("the image of the probe is still there: %v", err)
	}
}

// TestWrappedWithoutTheProbe: what a program leaves in the background is not
// guessed where the probe cannot start it.
func TestWrappedWithoutTheProbe(t *testing.T) {
	t.Parallel()
	e := connect(t, func(o *Options) { o.Host = refusing(t, noEntrypoint) })
	im := open(t, e, makeImage(t, e, nil))
	spec := waySpec([]string{"/app", "daemonize", ":8000"})
	spec.Wrapped = true
	seen, err := im.Observe(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if seen.Stopped != facts.StopInterrupted || seen.Exit != nil || len(seen.Blind) != 1 || !strings.Contains(seen.Blind[0], "does not let the probe start it") {
		t.Errorf("%+v", seen)
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	image := facts.Config{Entrypoint: []string{"/enter"}, Cmd: []string{"serve"}}
	tests := []struct {
		name            string
		config          facts.Config
		argv            []string
		entrypoint, cmd []string
	}{
		{"unchanged", image, []string{"/enter", "serve"}, nil, nil},
		{"another command", image, []string{"/enter", "work", "now"}, nil, []string{"work", "now"}},
		{"no command", image, []string{"/enter"}, []string{"/enter"}, nil},
		{"another entrypoint", image, []string{"/other", "serve"}, []string{"/other", "serve"}, nil},
		{"no entrypoint", facts.Config{Cmd: []string{"serve"}}, []string{"work"}, []string{"work"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			entrypoint, cmd := overrides(tt.config, tt.argv)
			if diff := cmp.Diff([][]string{tt.entrypoint, tt.cmd}, [][]string{entrypoint, cmd}); diff != "" {
				t.Errorf("entrypoint and cmd (-want +got):\n%s", diff)
			}
		})
	}
}
