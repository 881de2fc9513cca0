package local

import (
	"errors"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// healthchecked is a config with a HEALTHCHECK.
func healthchecked(user string, timeout facts.Millis, words ...string) facts.Config {
	return facts.Config{User: user, Healthcheck: &facts.Healthcheck{Test: append([]string{"CMD"}, words...), Timeout: timeout}}
}

func TestObserveHealthcheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		config   facts.Config
		code     int
		output   string // a part of it
		timedOut bool
	}{
		{"succeeds as the image's user", healthchecked("web", 0, "/app", "who"), 0, "uid 1000 ", false},
		{"fails", healthchecked("", 0, "/app", "exit", "3", "no such table"), 3, "no such table", false},
		{"is not in the image", healthchecked("", 0, "curl", "-f"), 127, `"curl": executable file not found in $PATH`, false},
		{"does not end", healthchecked("", 300, "/app", "sleep"), -1, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *Runner) {
				seen := observe(t, open(t, r, tt.config), nil, "/app", "serve", ":8000")
				got := seen.Healthcheck
				if got == nil || got.Code != tt.code || !strings.Contains(got.Output, tt.output) || got.TimedOut != tt.timedOut {
					t.Fatalf("%+v, blind %q; want code %d, %q", got, seen.Blind, tt.code, tt.output)
				}
				if seen.Stopped != facts.StopAnswered || seen.Exit != nil {
					t.Errorf("stopped %q with %+v: the check is no part of the run", seen.Stopped, seen.Exit)
				}
			})
		})
	}
}

// TestObserveBrief: nothing is looked at after the answer.
func TestObserveBrief(t *testing.T) {
	t.Parallel()
	im := open(t, newRunner(t, func(*Options) {}), healthchecked("", 0, "/app", "who"))
	if seen := observe(t, im, func(s *run.Spec) { s.Brief = true }, "/app", "serve", ":8000"); seen.Healthcheck != nil || seen.StopTry != nil {
		t.Errorf("%+v, %+v", seen.Healthcheck, seen.StopTry)
	}
}

// TestObserveStop: what a shell does with a signal is only told by sending it.
// The program calls itself one; Go does nothing with SIGURG, and ends with SIGTERM.
func TestObserveStop(t *testing.T) {
	t.Parallel()
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	shell := node{name: "bin/sh", content: string(program), mode: 0o755}
	for signal, moved := range map[string]bool{"": true, "SIGURG": false} {
		t.Run("stop signal "+signal, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *Runner) {
				seen := observe(t, open(t, r, facts.Config{StopSignal: signal}, shell), nil, "/bin/sh", "serve", ":8000")
				if seen.StopTry == nil || seen.StopTry.Moved != moved {
					t.Errorf("%+v, want that it moves: %t", seen.StopTry, moved)
				}
			})
		})
	}
}

// TestObserveLowPorts: whether everybody may listen below 1024 is the platform's word.
func TestObserveLowPorts(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{User: "web"})
		for _, allowed := range []facts.Tri{facts.Yes, facts.No} {
			seen := observe(t, im, func(s *run.Spec) {
				s.Target.PrivilegedPorts, s.Target.Endpoint.Port = allowed, 80
			}, "/app", "serve", ":80")
			if (seen.Stopped == facts.StopAnswered) != (allowed == facts.Yes) || allowed == facts.No && !strings.Contains(text(seen.Log), "permission denied") {
				t.Errorf("allowed %q: stopped %q, log %q", allowed, seen.Stopped, text(seen.Log))
			}
		}
	})
}

// TestObserveReadOnly: nothing can be written but volumes.
func TestObserveReadOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		seed := []node{{name: "data/", mode: 0o777}, {name: "data/seed", content: "seeded", mode: 0o644}}
		for _, volumes := range [][]string{nil, {"/data"}} {
			im := open(t, r, facts.Config{Volumes: volumes}, seed...)
			got := text(observe(t, im, func(s *run.Spec) { s.ReadOnly = true }, "/app", "volume").Log)
			want := "seeded, written"
			if volumes == nil {
				want += "\nopen /data/new: read-only file system"
			}
			if got != want {
				t.Errorf("volumes %q: log %q, want %q", volumes, got, want)
			}
		}
	})
}

// TestObserveFilesInMemory: what is on a disk elsewhere is no reason to say
// that an image needs more memory.
func TestObserveFilesInMemory(t *testing.T) {
	t.Parallel()
	program, err := hostile()
	if err != nil {
		t.Fatal(err)
	}
	group := newCgroup(run.DefaultLimits)
	limited := group.limitsMemory()
	if err := group.remove(); err != nil {
		t.Fatal(err)
	}
	if !limited {
		t.Skip("this user may not limit memory")
	}
	r := newRunner(t, func(*Options) {})
	im := open(t, r, facts.Config{}, node{name: "hostile", content: string(program), mode: 0o755})
	spec := runSpec("/hostile", "fill")
	spec.Limits.Memory = 64 << 20
	slots <- struct{}{}
	defer func() { <-slots }()
	seen, err := im.Observe(t.Context(), spec, nil)
	var doubt *InconclusiveError
	if r.copies.Load() { // before Linux 6.6 a user's files are on a disk here, too
		if err != nil || seen.Exit == nil || seen.Exit.OOM {
			t.Errorf("on a disk: %v; exit %+v", err, seen.Exit)
		}
		return
	}
	if !errors.As(err, &doubt) || !strings.Contains(doubt.Why, "were files that it wrote") {
		t.Errorf("%v; exit %+v", err, seen.Exit)
	}
}
