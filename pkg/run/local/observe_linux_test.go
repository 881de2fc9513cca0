package local

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// each runs a test in every way there is.
func each(t *testing.T, test func(*testing.T, *Runner)) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			test(t, newRunner(t, m.change))
		})
	}
}

func TestObserveCrash(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{})
		start := time.Now()
		seen := observe(t, im, nil, "/app", "exit", "3", "no such table")
		if seen.Stopped != facts.StopExited || seen.Exit == nil || seen.Exit.Code != 3 || seen.Exit.Signal != "" {
			t.Fatalf("stopped %q with %+v, want an exit with 3", seen.Stopped, seen.Exit)
		}
		if got := text(seen.Log); got != "no such table" || seen.Log.Lines[0].Stream != "stderr" {
			t.Errorf("log %+v", seen.Log)
		}
		if _, ok := seen.Executed(); !ok {
			t.Error("no exec event")
		}
		t.Logf("crash told after %s; the run took %v", time.Since(start), seen.Took.Duration())
	})
}

func TestObserveServes(t *testing.T) {
	t.Parallel()
	web := facts.Config{User: "web"}
	tests := []struct {
		name    string
		config  facts.Config
		spec    func(*run.Spec)
		argv    []string
		stop    facts.Stop
		scope   facts.Scope
		outside facts.Class
	}{
		{"on every address", facts.Config{}, nil, []string{"/app", "serve", ":8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
		{"not as root", web, nil, []string{"/app", "serve", "0.0.0.0:8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
		{"on loopback, as predicted", facts.Config{}, func(s *run.Spec) {
			s.Expect = facts.Prediction{Complete: true, Listens: []facts.Listen{{Network: "tcp", Port: 8000, Scope: facts.ScopeLoopback}}}
		}, []string{"/app", "serve", "127.0.0.1:8000"}, facts.StopProof, facts.ScopeLoopback, facts.ClassRefused},
		{"something else", facts.Config{}, nil, []string{"/app", "talk", ":8000", "-ERR unknown command\r\n"}, facts.StopProof, facts.ScopeAny, facts.ClassOther},
		{"after a flood", facts.Config{}, nil, []string{"/app", "flood", "100000", ":8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *Runner) {
				seen := observe(t, open(t, r, tt.config), tt.spec, tt.argv...)
				if seen.Stopped != tt.stop || seen.Exit != nil {
					t.Errorf("stopped %q with %+v, want %q; log %s", seen.Stopped, seen.Exit, tt.stop, text(seen.Log))
				}
				if seen.Address != Address {
					t.Errorf("address %q", seen.Address)
				}
				checkEndpoint(t, &seen, tt.scope, tt.outside)
			})
		})
	}
}

// checkEndpoint checks who listens on port 8000 and what comes from outside.
func checkEndpoint(t *testing.T, seen *facts.Run, scope facts.Scope, outside facts.Class) {
	t.Helper()
	open := slices.DeleteFunc(seen.Open(), func(l facts.Listener) bool { return l.Port != 8000 })
	if len(open) != 1 || open[0].Scope() != scope || open[0].PID != 1 || open[0].Argv[0] != "/app" {
		t.Errorf("listeners %+v, want one of /app with scope %q", open, scope)
	}
	var class facts.Class
	for _, a := range seen.Answers(8000) {
		if !a.Answer.Loopback() {
			class = a.Answer.Class
		}
	}
	if class != outside {
		t.Errorf("answer from outside %q, want %q", class, outside)
	}
}

func TestObserveEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		config facts.Config
		nodes  []node
		spec   func(*run.Spec)
		argv   []string
		check  func(*testing.T, facts.Run)
	}{
		{name: "the user of the image and added variables",
			config: facts.Config{User: "web", Env: []string{"GREETING=image"}},
			spec:   func(s *run.Spec) { s.Env = []string{"GREETING=spec"}; s.Target.Env = []string{"GREETING=platform"} },
			argv:   []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if got := text(r.Log); got != "uid 1000 pid 1 env spec" {
					t.Errorf("log %q", got)
				}
			}},
		{name: "an unknown user is the image's fault",
			config: facts.Config{User: "nobody-there"}, argv: []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || !strings.Contains(r.Exit.Refused, "nobody-there") {
					t.Errorf("exit %+v, want a refusal", r.Exit)
				}
			}},
		{name: "a working directory that is a file",
			config: facts.Config{WorkingDir: "/etc/passwd"}, argv: []string{"/app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if r.Exit == nil || !strings.Contains(r.Exit.Refused, "not a directory") {
					t.Errorf("exit %+v, want a refusal", r.Exit)
				}
			}},
		{name: "a working directory that is not there",
			config: facts.Config{WorkingDir: "/srv/new/dir"}, argv: []string{"../../../app", "who"},
			check: func(t *testing.T, r facts.Run) {
				if got := text(r.Log); !strings.HasPrefix(got, "uid 0 pid 1") {
					t.Errorf("log %q, exit %+v", got, r.Exit)
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
		{name: "volumes are directories", config: facts.Config{Volumes: []string{"/data"}},
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
			each(t, func(t *testing.T, r *Runner) {
				seen := observe(t, open(t, r, tt.config, tt.nodes...), tt.spec, tt.argv...)
				if seen.Stopped != facts.StopExited {
					t.Errorf("stopped %q, want %q", seen.Stopped, facts.StopExited)
				}
				tt.check(t, seen)
			})
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

func TestObserveDaemon(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{})
		plain := observe(t, im, nil, "/app", "daemonize", ":8000")
		if plain.Stopped != facts.StopExited || plain.Exit == nil || plain.Exit.Code != 0 {
			t.Fatalf("plain: stopped %q with %+v, want an exit with 0", plain.Stopped, plain.Exit)
		}
		wrapped := observe(t, im, func(s *run.Spec) { s.Wrapped = true }, "/app", "daemonize", ":8000")
		if wrapped.Stopped != facts.StopSurvivors || wrapped.Exit == nil || wrapped.Exit.Code != 0 {
			t.Errorf("wrapped: stopped %q with %+v", wrapped.Stopped, wrapped.Exit)
		}
		i := slices.IndexFunc(wrapped.Survivors, func(p facts.Process) bool { return slices.Contains(p.Argv, "serve") })
		if i < 0 {
			t.Fatalf("survivors %+v, want the server", wrapped.Survivors)
		}
		if s := wrapped.Survivors[i]; s.SID != s.PID || s.Alive <= 0 {
			t.Errorf("survivor %+v, want a session of its own", s)
		}
	})
}

// TestObserveShowsLimit: a runtime that does not see its limit takes the
// machine's memory for it, and is killed for what it takes then.
func TestObserveShowsLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		seen := observe(t, open(t, r, facts.Config{}), func(s *run.Spec) { s.Limits.Memory = 32 << 20 }, "/app", "limit")
		if strings.Contains(seen.Doubt, "the memory limit is not set") {
			t.Skip(seen.Doubt)
		}
		if got, want := text(seen.Log), fmt.Sprintf("limit %d", 32<<20); got != want {
			t.Errorf("the program sees %q, want %q", got, want)
		}
	})
}

func TestObserveOutOfMemory(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		group := newCgroup(run.DefaultLimits)
		limited := group.limitsMemory()
		if err := group.remove(); err != nil {
			t.Fatal(err)
		}
		if !limited {
			seen := observe(t, open(t, r, facts.Config{}), func(s *run.Spec) { s.Limits.Memory = 32 << 20 }, "/app", "serve", ":8000")
			if !strings.Contains(seen.Doubt, "the memory limit is not set") {
				t.Errorf("doubt %q, and the limit that was asked for is not set", seen.Doubt)
			}
			return
		}
		seen := observe(t, open(t, r, facts.Config{}), func(s *run.Spec) { s.Limits.Memory = 32 << 20 }, "/app", "eat")
		if seen.Exit == nil || !seen.Exit.OOM || seen.Exit.Code != 137 || seen.Exit.Signal != "SIGKILL" || seen.MemoryLimit != 32<<20 {
			t.Errorf("exit %+v, limit %d", seen.Exit, seen.MemoryLimit)
		}
		if e := seen.Events[len(seen.Events)-1]; e.Kind != facts.EventOOM {
			t.Errorf("last event %+v, want out of memory", e)
		}
	})
}

// What the image's users own, they own in the run, where there are such users.
func TestObserveOwners(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{User: "web"},
			node{name: "data/", mode: 0o700, uid: 1000}, node{name: "data/seed", content: "mine", mode: 0o600, uid: 1000})
		if got := text(observe(t, im, nil, "/app", "volume").Log); got != "mine, written" {
			t.Errorf("log %q", got)
		}
		im = open(t, r, facts.Config{User: "web"},
			node{name: "data/", mode: 0o755}, node{name: "data/seed", content: "root's", mode: 0o600})
		got := text(observe(t, im, nil, "/app", "volume").Log)
		if got != ", written\nopen /data/seed: permission denied" {
			t.Errorf("log %q", got)
		}
	})
}
