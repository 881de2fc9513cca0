package lint

import (
	"context"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
)

// LintAll checks one image for several platforms with as few starts as
// possible: platforms that give the program the same environment share one,
// and so do fixes that come to the same. Results come in the order of the
// platforms.
func (l *Linter) LintAll(ctx context.Context, ref string, platforms []*platform.Platform, w Watcher) []report.Result {
	began := time.Now()
	w.Doing("reading " + ref)
	img, err := l.open(ctx, ref)
	if err != nil {
		return unable(ref, platforms, err)
	}
	defer l.discard(ctx, img)
	secrets := l.Options.redactorFor(img.Facts())
	located := l.placed(ctx, img, platforms)
	var checks []*check
	for _, p := range alike(platforms) {
		o := l.Options
		o.Platform = p
		named, err := servicesOf(img, o)
		if err != nil {
			return unable(ref, platforms, err)
		}
		for _, service := range named {
			o.service = service
			c := &check{Options: o, image: img, watch: discreet{w, secrets}, located: located}
			c.facts = c.collect()
			checks = append(append(checks, c), c.others()...)
		}
	}
	results, err := conclude(ctx, ref, checks, began)
	if err != nil {
		return unable(ref, platforms, secrets.error(err))
	}
	for i := range results {
		redact(secrets, &results[i])
	}
	return results
}

// conclude makes the runs that the checks share, and the result of each: one
// for all ports that a platform asks.
func conclude(ctx context.Context, ref string, checks []*check, began time.Time) ([]report.Result, error) {
	starts := 0
	if err := together(ctx, checks, &starts); err != nil {
		return nil, err
	}
	for _, c := range checks {
		c.guess()
		c.judge()
		c.hedge()
	}
	if err := measureAll(ctx, checks, &starts); err != nil {
		return nil, err
	}
	if err := proveAll(ctx, checks, &starts); err != nil {
		return nil, err
	}
	var results []report.Result
	for i, c := range checks {
		c.mark()
		c.place()
		c.facts.Took = facts.ToMillis(time.Since(began))
		result := c.result(ref)
		result.Took = time.Since(began)
		if c.further && i > 0 {
			last := &results[len(results)-1]
			*last = c.besides(*last, result)
			continue
		}
		results = append(results, result)
	}
	for i := range results {
		results[i].Starts = starts
	}
	return results, nil
}

// unable is the outcome for every platform when the image cannot be looked at.
func unable(ref string, platforms []*platform.Platform, err error) []report.Result {
	results := make([]report.Result, max(1, len(platforms)))
	for i := range results {
		results[i] = report.Result{Ref: ref, Verdict: finding.Unknown, Err: err}
	}
	return results
}

// alike lets platforms that look for open ports hand out the port that others
// assign: it does not matter there which one it is, and one start serves both.
func alike(platforms []*platform.Platform) []*platform.Platform {
	assigned := 0
	for _, p := range platforms {
		if p.Endpoint.Choice.Value == platform.Assigned {
			assigned = p.Endpoint.StandIn
		}
	}
	all := make([]*platform.Platform, len(platforms))
	for i, p := range platforms {
		all[i] = p.HandingOut(assigned)
	}
	return all
}

// placed finds the Dockerfile's lines beforehand where a platform wants to know
// the order of its EXPOSE; nil: no platform does.
func (l *Linter) placed(ctx context.Context, img Image, platforms []*platform.Platform) *location {
	for _, p := range platforms {
		if !p.OrderKept(img.Facts()) {
			c := &check{Options: l.Options, image: img, facts: &facts.Facts{Image: img.Facts()}}
			return c.location(ctx)
		}
	}
	return nil
}

// others are checks of the further ports that the platform asks: the same
// start, seen from there.
func (c *check) others() []*check {
	var all []*check
	for _, port := range c.facts.Target.Endpoint.Others {
		other := *c
		f := *c.facts
		f.NotChecked = nil
		f.Target.Endpoint = facts.Endpoint{Port: port, ChosenBy: "every exposed port is asked"}
		other.facts, other.further = &f, true
		all = append(all, &other)
	}
	return all
}

// besides adds what was found on a further port. Where the platform asks none
// by itself, an unserved port keeps nobody from being released.
func (c *check) besides(main, further report.Result) report.Result {
	if c.Platform.Doubt(platform.TopicAsk, c.Overrides) == "" {
		return joined([]report.Result{main, further})
	}
	for i := range further.Findings {
		further.Findings[i].Severity = min(further.Findings[i].Severity, finding.Warning)
	}
	further.Verdict = main.Verdict
	return joined([]report.Result{main, further})
}

// together does what the checks of one image share: finding the Dockerfile's
// lines, and the runs.
func together(ctx context.Context, checks []*check, starts *int) error {
	first := checks[0]
	if first.located == nil {
		first.located = first.location(ctx)
	}
	for _, c := range checks {
		c.at(first.located)
	}
	for _, group := range groups(checks) {
		if err := observeGroup(ctx, group, starts); err != nil {
			return err
		}
	}
	return ctx.Err()
}
