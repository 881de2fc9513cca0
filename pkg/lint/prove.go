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

// prove runs the image with the fixes of all its errors together.
func (c *check) prove(ctx context.Context) {
	r, ok := c.image.(Runnable)
	change, _ := c.fixes()
	if !ok || c.facts.Run == nil || change.Empty() {
		return
	}
	c.watch.Doing("trying the fix")
	img := c.facts.Image
	img.Config = apply(img.Config, change)
	options := c.Options
	options.Entrypoint, options.Command = nil, nil // the change holds them already
	f := collect(img, c.image.Files(), options)
	longest := max(proofLeast, proofFactor*c.facts.Run.Took.Duration())
	f.Target.BootWindow = min(f.Target.BootWindow, longest)
	spec := c.spec(f)
	spec.Brief = true
	again, err := c.start(ctx, r, f, spec)
	if err != nil {
		c.notChecked("whether the fix works", "%v", err)
	}
	if again == nil {
		return // a fix that could not be tried stays unverified
	}
	f.Run = again
	c.facts.Proof = c.weigh(f)
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
