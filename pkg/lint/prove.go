package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// A proof must not cost another whole boot window: it is given a few times
// what the first run took.
const (
	proofFactor = 3
	proofLeast  = 15 * time.Second
)

// proveAll runs the image with the fixes of all errors of a check together;
// checks whose fixes come to the same start share it.
func proveAll(ctx context.Context, checks []*check, starts *int) error {
	of := map[*check]*check{}
	var trials []*check
	for _, c := range checks {
		if t, ok := c.trial(); ok {
			of[t] = c
			trials = append(trials, t)
		}
	}
	for _, group := range groups(trials) {
		of[group[0]].watch.Doing("trying the fix")
		err := observeGroup(ctx, group, starts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, t := range group {
			of[t].tried(t, err)
		}
	}
	return nil
}

// trial is the check of the image with its fixes; false: there is nothing to try.
func (c *check) trial() (*check, bool) {
	_, ok := c.image.(Runnable)
	change, _ := c.fixes()
	if !c.Prove || !ok || c.facts.Run == nil || change.Empty() {
		return nil, false
	}
	t := c.changed(change)
	longest := max(proofLeast, proofFactor*c.facts.Run.Took.Duration())
	t.facts.Target.BootWindow = min(t.facts.Target.BootWindow, longest)
	return t, true
}

// changed is the check of the image with a change of its config.
func (c *check) changed(change finding.Change) *check {
	img := c.facts.Image
	img.Config = apply(img.Config, change)
	t := &check{Options: c.Options, image: c.image, watch: c.watch, located: c.located, brief: true}
	t.asIs = true // the change holds what was typed and what a Procfile says
	if t.Workload != nil {
		t.Env = append(slices.Clone(t.Env), change.Env...)
	}
	t.facts = collect(img, c.image.Files(), t.Options)
	target := &t.facts.Target
	if c.further && slices.Contains(target.Endpoint.Others, c.facts.Target.Endpoint.Port) {
		target.Endpoint = c.facts.Target.Endpoint
	}
	return t
}

// tried takes the outcome of a trial over. A fix that could not be tried
// stays unverified.
func (c *check) tried(t *check, err error) {
	if t.facts.Run != nil {
		c.facts.Proof = c.weigh(t.facts)
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
	} else if n := len(t.facts.NotChecked); n > 0 {
		why = t.facts.NotChecked[n-1].Why
	}
	c.notChecked("whether the fix works", "%s", why)
}

// mark writes the proof's outcome on the fixes that it tried.
func (c *check) mark() {
	proof := c.facts.Proof
	if proof == nil {
		return
	}
	_, fixed := c.fixes()
	for _, fix := range fixed {
		fix.Verified, fix.Proof = &proof.Passed, proof.Text
	}
}

// weigh tells whether a run with the fixes passed, and what was seen.
func (c *check) weigh(f *facts.Facts) *facts.Proof {
	found(f)
	again := rule.CheckAll(c.Rules, f)
	if v, _, _ := verdict(f, again, false); v == finding.Pass {
		e, _ := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe)
		return &facts.Proof{Passed: true, Text: "with this fix " + proofText(e)}
	}
	for _, other := range again {
		if other.Severity == finding.Error {
			return &facts.Proof{Text: "with this fix it still fails: " + other.Message + " [" + other.Rule + "]"}
		}
	}
	return &facts.Proof{Text: "with this fix it was not answered either"}
}

func proofText(e facts.Event) string {
	if e.Answer.Status == 0 {
		return answeredText(e)
	}
	return fmt.Sprintf("the image answered %d after %.1fs", e.Answer.Status, e.T.Seconds())
}

// fixes merges the changes of every error's fix. An error whose fix cannot be
// tried leaves nothing to prove.
func (c *check) fixes() (finding.Change, []*finding.Fix) {
	var merged finding.Change
	var fixed []*finding.Fix
	for i := range c.findings {
		f := &c.findings[i]
		if f.Severity != finding.Error {
			continue
		}
		if f.Fix == nil || f.Fix.Change.Empty() {
			return finding.Change{}, nil
		}
		merged = merge(merged, f.Fix.Change)
		fixed = append(fixed, f.Fix)
	}
	return merged, fixed
}

// merge adds b to a; where both change a field, a stays.
func merge(a, b finding.Change) finding.Change {
	if a.Entrypoint == nil && a.Cmd == nil {
		a.Entrypoint, a.Cmd = b.Entrypoint, b.Cmd
	}
	if a.Expose == nil {
		a.Expose = b.Expose
	}
	a.Env = append(slices.Clone(a.Env), b.Env...)
	return a
}

// apply returns a config with a change's overrides.
func apply(config facts.Config, change finding.Change) facts.Config {
	if change.Entrypoint != nil {
		config.Entrypoint = change.Entrypoint
	}
	if change.Cmd != nil {
		config.Cmd = change.Cmd
	}
	for _, kv := range change.Env {
		key, _, _ := strings.Cut(kv, "=")
		config.Env = slices.DeleteFunc(slices.Clone(config.Env), func(old string) bool {
			return strings.HasPrefix(old, key+"=")
		})
		config.Env = append(config.Env, kv)
	}
	if change.Expose != nil {
		config.Exposed = nil
		for _, text := range change.Expose {
			if port, err := facts.ParsePort(text); err == nil {
				config.Exposed = append(config.Exposed, port)
			}
		}
		facts.SortPorts(config.Exposed)
	}
	return config
}
