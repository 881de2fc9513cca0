package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/local"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// format changes when observations mean something else than before.
const format = 1

// key names the observation of a case: whatever changes it, changes the key.
func key(c *testCase, r *root) (string, error) {
	text, err := json.Marshal(map[string]any{
		"format": format, "root": r.DiffID, "config": c.config(facts.Config{Env: r.Env}),
		"files": c.Files, "quiet": c.Quiet, "wait": c.Wait,
	})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), err
}

// patience is how many times longer a case is waited for that opened nothing,
// though it should have.
const patience = 4

// observed returns what a case did, from the cache or by starting it.
func (b *bench) observed(ctx context.Context, c *testCase, r *root, patient bool) (seen, bool, error) {
	name, err := key(c, r)
	if err != nil {
		return seen{}, false, err
	}
	file := filepath.Join(b.dir, "seen", name+".json")
	if text, err := os.ReadFile(file); err == nil && !*again && !patient {
		var s seen
		return s, true, json.Unmarshal(text, &s)
	}
	if patient {
		longer := *c
		longer.Wait *= patience
		c = &longer
	}
	s, err := b.start(ctx, c, r)
	if err != nil {
		return seen{}, false, fmt.Errorf("start %s: %w", c.name(), err)
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return seen{}, false, err
	}
	return s, false, os.WriteFile(file, text, 0o600)
}

// start runs a case, and once more wrapped when its program ended well.
func (b *bench) start(ctx context.Context, c *testCase, r *root) (seen, error) {
	b.slots <- struct{}{}
	defer func() { <-b.slots }()
	_, layer, err := r.with(c.Files)
	if err != nil {
		return seen{}, err
	}
	from := []layers.Layer{r.layer}
	if layer != nil {
		from = append(from, *layer)
	}
	im, err := b.runner.Open(ctx, r.image(c), from)
	if err != nil {
		return seen{}, err
	}
	defer im.Close(context.Background())
	first, err := watch(ctx, im, c, false)
	if err != nil {
		return seen{}, err
	}
	s := summary(first)
	if s.Exited && s.Code == 0 {
		second, err := watch(ctx, im, c, true)
		if err != nil {
			return seen{}, err
		}
		s.survivors(second)
	}
	return s, nil
}

// errSettled ends a run that has opened sockets and is done with it.
var errSettled = errors.New("nothing changes any more")

// watch makes one run. A connection to any listener counts as an answer, so
// that the run ends soon after.
func watch(ctx context.Context, im *local.Image, c *testCase, wrapped bool) (facts.Run, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	spec := run.Spec{
		Argv:   c.config(facts.Config{}).Argv(),
		Limits: run.Limits{Memory: 3 << 30, Pids: 1024, LogBytes: 64 << 10},
		Settle: c.Quiet,
		Brief:  true,
		Target: facts.Target{
			Probe:           facts.Probe{TCP: true, Method: "GET", Path: "/", Host: "containers", TryTimeout: 2 * time.Second},
			BootWindow:      c.Wait,
			LoopbackReached: true,
		},
		Wrapped: wrapped,
		// Nothing is watched for longer than its window.
		Expect: facts.Prediction{Complete: true},
	}
	var w run.Watcher
	if !wrapped { // which ends by itself
		w = &settler{quiet: 2 * c.Quiet, cancel: cancel}
	}
	seen, err := im.Observe(ctx, spec, w)
	if errors.Is(err, errSettled) {
		err = nil
	}
	return seen, err
}

// settler ends a run some time after its last socket was opened: one that
// opens only udp and unix ones would be watched for the whole window.
type settler struct {
	quiet  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Event puts the end off.
func (s *settler) Event(e facts.Event) {
	if e.Kind != facts.EventListening && e.Kind != facts.EventClosed && s.timer == nil {
		return
	}
	if s.timer != nil && !s.timer.Stop() {
		return
	}
	s.timer = time.AfterFunc(s.quiet, func() { s.cancel(errSettled) })
}

// Log is not needed.
func (s *settler) Log(facts.LogLine) {}
