package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

func text(log facts.Log) string {
	var all []string
	for _, l := range log.Lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, "\n")
}

func TestObserveCrash(t *testing.T) {
	t.Parallel()
	e := connect(t)
	ref := makeImage(t, e, nil)
	start := time.Now()
	seen := observe(t, e, ref, nil, "/app", "exit", "3", "no such table")
	if seen.Stopped != facts.StopExited || seen.Exit == nil || seen.Exit.Code != 3 || seen.Exit.Signal != "" {
		t.Fatalf("stopped %q with %+v, want an exit with 3", seen.Stopped, seen.Exit)
	}
	if got := text(seen.Log); got != "no such table" || seen.Log.Lines[0].Stream != "stderr" {
		t.Errorf("log %+v", seen.Log)
	}
	if _, ok := seen.Executed(); !ok {
		t.Error("no exec event")
	}
	t.Logf("crash told %s after opening; the run took %v", time.Since(start), seen.Took.Duration())
}

func TestObserveEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		changes []string
		nodes   []node
		spec    func(*run.Spec)
		argv    []string
		check   func(*testing.T, facts.Run)
	}{
		{name: "the user of the image and added variables",
			changes: []string{"USER web", "ENV GREETING=image"},
			spec:    func(s *run.Spec) { s.Env = []string{"GREETING=spec"}; s.Target.Env = []string{"GREETING=platform"} },
			argv:    []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if got := text(r.Log); got != "uid 1000 pid 1 env spec" {
					t.Errorf("log %q", got)
				}
			}},
		{name: "an unknown user is the image's fault",
			changes: []string{"USER nobody-there"}, argv: []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || !strings.Contains(r.Exit.Refused, "nobody-there") {
					t.Errorf("exit %+v, want the engine's refusal", r.Exit)
				}
			}},
		{name: "a working directory that is a file",
			changes: []string{"WORKDIR /etc/passwd"}, argv: []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || !strings.Contains(r.Exit.Refused, "not a directory") {
					t.Errorf("exit %+v, want the engine's refusal", r.Exit)
				}
			}},
		{name: "no such program", argv: []string{"/nope"}, check: wantExecError("ENOENT", 127)},
		{name: "not executable", nodes: []node{{name: "plain", content: "x", mode: 0o644}},
			argv: []string{"/plain"}, check: wantExecError("EACCES", 126)},
		{name: "setuid programs may gain privileges at the second try", argv: []string{"/app", "sudo"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || r.Exit.Code != 7 || text(r.Log) != "gained" {
					t.Errorf("exit %+v, log %q", r.Exit, text(r.Log))
				}
			}},
		{name: "out of memory", spec: func(s *run.Spec) { s.Limits.Memory = 32 << 20 },
			argv: []string{"/app", "eat"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || !r.Exit.OOM || r.Exit.Code != 137 || r.Exit.Signal != "SIGKILL" || r.MemoryLimit != 32<<20 {
					t.Errorf("exit %+v, limit %d", r.Exit, r.MemoryLimit)
				}
				if e := r.Events[len(r.Events)-1]; e.Kind != facts.EventOOM {
					t.Errorf("last event %+v, want out of memory", e)
				}
			}},
		{name: "volumes of the image are its own", changes: []string{"VOLUME /data"},
			nodes: []node{{name: "data/", mode: 0o755}, {name: "data/seed", content: "seeded", mode: 0o644}},
			argv:  []string{"/app", "volume"},
			check: func(t *testing.T, r facts.Run) {
				if got := text(r.Log); got != "seeded, written" {
					t.Errorf("log %q", got)
				}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := connect(t)
			seen := observe(t, e, makeImage(t, e, tt.changes, tt.nodes...), tt.spec, tt.argv...)
			if seen.Stopped != facts.StopExited {
				t.Errorf("stopped %q, want %q", seen.Stopped, facts.StopExited)
			}
			tt.check(t, seen)
		})
	}
}

func wantExecError(errno string, code int) func(*testing.T, facts.Run) {
	return func(t *testing.T, r facts.Run) {
		if r.Exit == nil || r.Exit.Code != code {
			t.Errorf("exit %+v, want %d", r.Exit, code)
		}
		for _, e := range r.Events {
			if e.Kind == facts.EventExecError && e.Errno == errno {
				return
			}
		}
		t.Errorf("events %+v, want an exec error %s", r.Events, errno)
	}
}
