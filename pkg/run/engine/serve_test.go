package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

func TestObserveServes(t *testing.T) {
	t.Parallel()
	nonRoot := []string{"USER web"}
	tests := []struct {
		name    string
		changes []string
		spec    func(*run.Spec)
		argv    []string
		stop    facts.Stop
		scope   facts.Scope
		outside facts.Class
	}{
		{"on every address", nil, nil, []string{"/app", "serve", ":8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
		{"not as root", nonRoot, nil, []string{"/app", "serve", "0.0.0.0:8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
		{"on loopback, as predicted", nil, func(s *run.Spec) {
			s.Expect = facts.Prediction{Complete: true, Listens: []facts.Listen{{Network: "tcp", Port: 8000, Scope: facts.ScopeLoopback}}}
		}, []string{"/app", "serve", "127.0.0.1:8000"}, facts.StopProof, facts.ScopeLoopback, facts.ClassRefused},
		{"something else", nil, nil, []string{"/app", "talk", ":8000", "-ERR unknown command\r\n"}, facts.StopProof, facts.ScopeAny, facts.ClassOther},
		{"nothing within the window", nil, func(s *run.Spec) { s.Target.BootWindow = 2 * time.Second },
			[]string{"/app", "sleep"}, facts.StopWindow, "", ""},
		{"after a flood", nil, nil, []string{"/app", "flood", "100000", ":8000"}, facts.StopAnswered, facts.ScopeAny, facts.ClassHTTP},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := connect(t)
			seen := observe(t, e, makeImage(t, e, tt.changes), tt.spec, tt.argv...)
			if seen.Stopped != tt.stop || seen.Exit != nil {
				t.Errorf("stopped %q with %+v, want %q", seen.Stopped, seen.Exit, tt.stop)
			}
			if seen.Address != cellAddress {
				t.Errorf("address %q", seen.Address)
			}
			checkEndpoint(t, &seen, tt.scope, tt.outside)
		})
	}
}

// checkEndpoint checks who listens on port 8000 and what comes from outside.
func checkEndpoint(t *testing.T, seen *facts.Run, scope facts.Scope, outside facts.Class) {
	t.Helper()
	open := slices.DeleteFunc(seen.Open(), func(l facts.Listener) bool { return l.Port != 8000 })
	if scope == "" {
		if len(open) > 0 {
			t.Errorf("listeners %+v, want none", open)
		}
		return
	}
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

func TestObserveFloodIsBounded(t *testing.T) {
	t.Parallel()
	e := connect(t)
	seen := observe(t, e, makeImage(t, e, nil), nil, "/app", "flood", "100000", ":8000")
	lines := seen.Log.Lines
	if len(lines) != 500 || !strings.HasPrefix(lines[0].Text, "line 0 ") || !strings.HasPrefix(lines[len(lines)-1].Text, "serving ") {
		t.Errorf("%d lines, from %q", len(lines), lines[0].Text)
	}
	kept := int64(0)
	for _, l := range lines {
		kept += int64(len(l.Text)) + 1
	}
	// 100,000 lines of "line N " and a hundred x; the address is short.
	if total := kept + seen.Log.Dropped; total < 100_000*107 || total > 100_000*115 {
		t.Errorf("%d bytes kept and dropped", total)
	}
}

func TestObserveWithAVolumeOfTheUsers(t *testing.T) {
	t.Parallel()
	socketPath(t) // the directory has to be on the engine's machine
	e := connect(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "seed"), "of the user")
	seen := observe(t, e, makeImage(t, e, nil), func(s *run.Spec) { s.Volumes = []string{dir + ":/data"} }, "/app", "volume")
	if got := text(seen.Log); got != "of the user, written" {
		t.Errorf("log %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err != nil {
		t.Errorf("the volume is not the user's: %v", err)
	}
}

func TestObserveDaemon(t *testing.T) {
	t.Parallel()
	e := connect(t)
	ref := makeImage(t, e, nil)
	plain := observe(t, e, ref, nil, "/app", "daemonize", ":8000")
	if plain.Stopped != facts.StopExited || plain.Exit == nil || plain.Exit.Code != 0 {
		t.Fatalf("plain: stopped %q with %+v, want an exit with 0", plain.Stopped, plain.Exit)
	}
	wrapped := observe(t, e, ref, func(s *run.Spec) { s.Wrapped = true }, "/app", "daemonize", ":8000")
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
}

func TestObserveWithoutACell(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	im := open(t, e, makeImage(t, e, nil))
	seen, err := im.Observe(t.Context(), runSpec("/app", "serve", ":8000"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if seen.Stopped != facts.StopAnswered || len(seen.Blind) != 1 || seen.Address == "" {
		t.Errorf("stopped %q at %q, blind %q", seen.Stopped, seen.Address, seen.Blind)
	}
	checkEndpoint(t, &seen, facts.ScopeAny, facts.ClassHTTP)
}

// A second run of the same image must not see the first one's listeners, nor
// what is left of its connections.
func TestObserveTwice(t *testing.T) {
	t.Parallel()
	e := connect(t)
	im := open(t, e, makeImage(t, e, nil))
	for _, what := range []string{"serve", "selfish", "selfish"} {
		seen, err := im.Observe(t.Context(), runSpec("/app", what, ":8000"), nil)
		if err != nil || seen.Stopped != facts.StopAnswered {
			t.Fatalf("%s: stopped %q, %v: %s", what, seen.Stopped, err, text(seen.Log))
		}
	}
}

// teller hands events to a test.
type teller struct{ events chan facts.Event }

func (w teller) Event(e facts.Event) { w.events <- e }
func (w teller) Log(facts.LogLine)   {}

func TestObserveCancelled(t *testing.T) {
	t.Parallel()
	e := connect(t, func(o *Options) { o.Images = 1 })
	ref := makeImage(t, e, nil)
	slots <- struct{}{}
	defer func() { <-slots }()
	ctx, cancel := context.WithCancel(t.Context())
	im, err := e.Open(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	w := teller{make(chan facts.Event, 100)}
	go func() {
		<-w.events
		cancel()
	}()
	seen, err := im.Observe(ctx, runSpec("/app", "sleep"), w)
	if !errors.Is(err, context.Canceled) || seen.Stopped != facts.StopInterrupted {
		t.Errorf("stopped %q, error %v", seen.Stopped, err)
	}
	if err := im.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	e.discards.Wait()
	if left := of(t, e, im); left > 0 {
		t.Errorf("%d containers left", left)
	}
}

// of counts the containers of an opened image.
func of(t *testing.T, e *Engine, im *Image) int {
	t.Helper()
	all, err := e.api.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(slices.DeleteFunc(all, func(c container.Summary) bool {
		return c.ID != im.reader.id && !strings.Contains(c.HostConfig.NetworkMode, im.reader.id)
	}))
}

func TestObserveKilledFromOutside(t *testing.T) {
	t.Parallel()
	e := connect(t)
	im := open(t, e, makeImage(t, e, nil))
	w := teller{make(chan facts.Event, 100)}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		<-w.events
		all, err := e.api.list(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range all {
			if strings.Contains(c.HostConfig.NetworkMode, im.reader.id) {
				if err := e.api.client.ContainerKill(t.Context(), c.ID, "KILL"); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	seen, err := im.Observe(t.Context(), runSpec("/app", "sleep"), w)
	<-killed
	if !errors.Is(err, errOrdered) || seen.Stopped != facts.StopLost || seen.Exit != nil {
		t.Errorf("error %v, stopped %q, exit %+v; want none of it to be the image's doing", err, seen.Stopped, seen.Exit)
	}
}
