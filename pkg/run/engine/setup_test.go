package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// connect opens the engine, or skips the test when none answers.
func connect(t testing.TB, change ...func(*Options)) *Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers: not with -short")
	}
	o := Options{Probe: func(string) ([]byte, error) { return testProbe() }}
	for _, c := range change {
		c(&o)
	}
	e, err := Connect(t.Context(), o)
	if isKind(err, KindNoEngine) || isKind(err, KindPermission) {
		t.Skipf("no engine to test with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func static(o *Options) { o.Static = true }

// open opens an image and has it closed at the end. It takes the slot.
func open(t testing.TB, e *Engine, ref string) *Image {
	t.Helper()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	im, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := im.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return im
}

// slots bounds the runs at a time: the machine is shared.
var slots = make(chan struct{}, 1)

// observe runs a command in an image that is opened for it.
func observe(t *testing.T, e *Engine, ref string, change func(*run.Spec), argv ...string) facts.Run {
	t.Helper()
	slots <- struct{}{}
	defer func() { <-slots }()
	im, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := im.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	spec := runSpec(argv...)
	if change != nil {
		change(&spec)
	}
	seen, err := im.Observe(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen.Blind) > 0 {
		t.Errorf("not run in a cell: %q", seen.Blind)
	}
	return seen
}

func runSpec(argv ...string) run.Spec {
	return run.Spec{
		Argv:   argv,
		Limits: run.Limits{Memory: 128 << 20, Pids: 64, LogBytes: 1 << 20},
		Settle: 300 * time.Millisecond,
		Target: facts.Target{
			Endpoint:   facts.Endpoint{Port: 8000},
			Probe:      facts.Probe{Method: "GET", Path: "/", Host: "containers", TryTimeout: 2 * time.Second},
			BootWindow: 15 * time.Second,
		},
	}
}

// leftovers counts what an owner has on the engine.
func leftovers(t *testing.T, e *Engine, o owner) (containers, volumes int) {
	t.Helper()
	all, err := e.api.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if o.made(c.Labels) {
			containers++
		}
	}
	kept, err := e.api.listVolumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range kept {
		if o.made(v.Labels) {
			volumes++
		}
	}
	return containers, volumes
}

// made reports whether the owner made what carries the labels.
func (o owner) made(labels map[string]string) bool {
	return labels[labelHost] == o.host && labels[labelPID] == fmt.Sprint(o.pid)
}
