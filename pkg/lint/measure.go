package lint

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/launch"
)

// impatient are the rules about servers that kill their workers for being slow.
var impatient = []string{"gunicorn-worker-timeout", "puma-worker-timeout"}

// measureAll starts those images once more whose server killed its workers for
// being slow, without its limit, and judges them again by how long one needs.
func measureAll(ctx context.Context, checks []*check, starts *int) error {
	of := map[*check]*check{}
	var trials []*check
	for _, c := range checks {
		if t, ok := c.unlimited(); ok {
			of[t] = c
			trials = append(trials, t)
		}
	}
	for _, group := range groups(trials) {
		of[group[0]].watch.Doing("measuring how long a worker needs")
		err := observeGroup(ctx, group, starts)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, t := range group {
			of[t].measured(t.facts, err)
		}
	}
	return nil
}

// unlimited is the check without the limit; false: there is nothing to measure.
func (c *check) unlimited() (*check, bool) {
	_, ok := c.image.(Runnable)
	killed := slices.ContainsFunc(c.findings, func(f finding.Finding) bool { return slices.Contains(impatient, f.Rule) })
	ways := c.facts.Prediction.Unlimited
	if !c.Prove || !ok || !killed || len(ways) == 0 || ways[0].Change.Empty() {
		return nil, false
	}
	t, err := c.changed(ways[0].Change)
	return t, err == nil
}

// measured takes the outcome over.
func (c *check) measured(f *facts.Facts, err error) {
	if f.Run == nil || f.Run.Exit != nil {
		why := "it ended without its limit on them"
		if err != nil {
			why = err.Error()
		}
		c.notChecked("how long a worker needs", "%s", why)
		return
	}
	c.facts.Boot = bootOf(f.Run)
	if g := c.facts.Prediction.Gunicorn; g != nil {
		g.FixTimeout = enough(g.FixTimeout, c.facts)
	}
	c.judge()
}

// workerStarts are what servers write as a worker begins: gunicorn, and puma
// without workers.
var workerStarts = []string{"Booting worker with pid", "Puma starting in single mode"}

// bootOf reads a start without a limit.
func bootOf(r *facts.Run) *facts.Boot {
	b := &facts.Boot{Within: r.Took}
	i := slices.IndexFunc(r.Events, func(e facts.Event) bool {
		return e.Kind == facts.EventAnswer && e.Answer.Class == facts.ClassHTTP
	})
	if i < 0 {
		return b
	}
	answered := r.Events[i]
	start := facts.Millis(0)
	for _, line := range r.Log.Lines {
		if slices.ContainsFunc(workerStarts, func(s string) bool { return strings.Contains(line.Text, s) }) {
			start = line.T
			break
		}
	}
	// A worker that boots accepts nobody: the question waits in the queue.
	waited := slices.ContainsFunc(r.Events[:i], func(e facts.Event) bool { return e.Kind == facts.EventQueue })
	b.Request = !waited && answered.Answer.Took > tookLong
	if b.Request {
		start = answered.Answer.Asked
	}
	b.Took = max(1, answered.T-start)
	return b
}

// tookLong is above what a queue needs to be told.
const tookLong = facts.Millis(1_500)

// usualTimeout is the value that the catalogue gives the workers.
const usualTimeout = "120"

// enough gives the workers half again the time that one needed here, at least
// a minute, in steps of half a minute.
func enough(remedies []facts.Remedy, f *facts.Facts) []facts.Remedy {
	if f.Boot.Took == 0 {
		return remedies
	}
	const step = facts.Millis(30_000)
	seconds := strconv.Itoa(int(max(2*step, (3*f.Boot.Took/2+step-1)/step*step) / 1000))
	raised := slices.Clone(remedies)
	for i := range raised {
		r := &raised[i]
		at := slices.IndexFunc(r.Argv, func(word string) bool { return word == usualTimeout || strings.HasSuffix(word, "="+usualTimeout) })
		if at < 0 {
			continue
		}
		r.Argv = slices.Clone(r.Argv)
		r.Argv[at] = strings.TrimSuffix(r.Argv[at], usualTimeout) + seconds
		r.Description = fmt.Sprintf("give the workers %s seconds", seconds)
		if change, instruction, ok := launch.Rewrite(f.Image.Config, f.Launch, *r); ok {
			r.Change, r.Instruction = change, instruction
		}
	}
	return raised
}
