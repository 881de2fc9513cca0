package lint

import (
	"context"
	"slices"
	"time"
)

// A proof must not cost another whole boot window: a start is given a few times
// what the first one took, and all of them together a few times that.
const (
	proofFactor = 3
	proofLeast  = 15 * time.Second
	proofBudget = 45 * time.Second
	mostTrials  = 6
)

// proveAll runs the image with the fixes of each check's errors together, and
// goes on with other ways and with what shows behind them, round by round.
// Checks whose fixes come to the same start share it. What does not fail the
// check is tried too, where one check alone is asked for.
func proveAll(ctx context.Context, checks []*check, starts *int) error {
	var provers []*prover
	for _, c := range checks {
		if p, ok := newProver(c, len(checks) == 1); ok {
			provers = append(provers, p)
		}
	}
	for range mostTrials {
		of := map[*check]*prover{}
		var trials []*check
		fresh := false
		for _, p := range provers {
			if t, ok := p.next(); ok {
				of[t] = p
				trials = append(trials, t)
				fresh = fresh || p.trials == 0 || p.stage == stageAgain
			}
		}
		if len(trials) == 0 {
			break
		}
		if image, ok := checks[0].image.(interface{ Renew(context.Context) }); ok && fresh {
			image.Renew(ctx)
		}
		for _, group := range groups(trials) {
			of[group[0]].watch.Doing("trying the fix")
			err := observeGroup(ctx, group, starts)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, t := range group {
				of[t].take(t, err)
			}
		}
	}
	for _, p := range provers {
		p.conclude()
	}
	return nil
}

// stage is how far a prover is.
type stage int

const (
	stageErrors stage = iota + 1 // the fixes of the errors are tried
	stageAgain                   // those that helped, once more in a cell of their own
	stageOthers                  // the fixes of what does not fail the check
	stageDone
)

// newProver says what is to be tried for a check; false: nothing can be.
func newProver(c *check, whole bool) (*prover, bool) {
	_, ok := c.image.(Runnable)
	if !ok || !c.Prove || c.facts.Run == nil {
		return nil, false
	}
	p := &prover{check: c, whole: whole, stage: stageErrors, longest: max(proofLeast, proofFactor*c.facts.Run.Took.Duration()), last: c.findings}
	p.ends = time.Now().Add(max(proofBudget, proofFactor*p.longest))
	if p.steps = compatible(stepsOf(c.findings, isError)); len(p.steps) > 0 {
		return p, true
	}
	if p.stage = stageOthers; c.facts.Run.Doubt != "" || slices.ContainsFunc(c.findings, isError) {
		return nil, false
	}
	return p, p.settleNext()
}
