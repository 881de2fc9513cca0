package lint

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run"
)

// LintAll checks one image for several platforms with as few starts as
// possible: platforms that give the program the same environment share one.
// Results come in the order of the platforms. Fixes are not tried: that would
// take a start for each.
func (l *Linter) LintAll(ctx context.Context, ref string, platforms []*platform.Platform, w Watcher) []report.Result {
	began := time.Now()
	w.Doing("reading " + ref)
	img, err := l.open(ctx, ref)
	if err != nil {
		return unable(ref, platforms, err)
	}
	defer l.discard(ctx, img)
	secrets := newRedactor(l.Options.Env)
	var checks []*check
	for _, p := range platforms {
		o := l.Options
		o.Platform, o.Prove = p, false
		services, err := servicesOf(img, o)
		if err != nil {
			return unable(ref, platforms, err)
		}
		for _, service := range services {
			o.service = service
			c := &check{Options: o, image: img, watch: discreet{w, secrets}}
			c.facts = collect(img.Facts(), img.Files(), o)
			checks = append(checks, c)
		}
	}
	results, err := conclude(ctx, ref, checks, began)
	if err != nil {
		return unable(ref, platforms, err)
	}
	for i := range results {
		if len(checks) > len(platforms) {
			idle(&results[i])
		}
		redact(secrets, &results[i])
	}
	return results
}

// conclude makes the runs that the checks share, and the result of each check.
func conclude(ctx context.Context, ref string, checks []*check, began time.Time) ([]report.Result, error) {
	if err := together(ctx, checks); err != nil {
		return nil, err
	}
	var results []report.Result
	for _, c := range checks {
		c.judge()
		c.hedge()
		c.place()
		c.facts.Took = facts.ToMillis(time.Since(began))
		result := c.result(ref)
		result.Took = time.Since(began)
		results = append(results, result)
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

// together does what the checks of one image share: finding the Dockerfile's
// lines, and the runs.
func together(ctx context.Context, checks []*check) error {
	first := checks[0]
	located := first.locate(ctx)
	for _, c := range checks {
		c.facts.Dockerfile, c.mismatch = located, first.mismatch
		c.Dockerfile, c.record = first.Dockerfile, first.record
	}
	for _, group := range groups(checks) {
		if err := observeGroup(ctx, group); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// groups puts the checks together that start the same program in the same
// surroundings, in order.
func groups(checks []*check) [][]*check {
	index := map[string]int{}
	var all [][]*check
	for _, c := range checks {
		key := c.surroundings()
		i, known := index[key]
		if !known {
			i = len(all)
			index[key] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], c)
	}
	return all
}

// surroundings is all that a program can notice of the platform.
func (c *check) surroundings() string {
	env := map[string]string{}
	for _, kv := range slices.Concat(c.facts.Image.Config.Env, environment(c.facts, c.Options)) {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	parts := []string{strings.Join(c.facts.Image.Config.Argv(), "\x00")}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		parts = append(parts, key+"="+env[key])
	}
	if c.facts.Target.PrivilegedPorts == facts.No {
		parts = append(parts, "low ports are root's")
	}
	return strings.Join(parts, "\x01")
}

// observeGroup makes the run of a group, and the wrapped one if the program
// ended with code 0, and gives each check its view.
func observeGroup(ctx context.Context, group []*check) error {
	lead := group[0]
	if lead.Static || len(lead.facts.Launch.Argv) == 0 {
		return nil
	}
	before := len(lead.facts.NotChecked)
	defer func() {
		for _, c := range group[1:] {
			c.unseen = lead.unseen
			c.facts.NotChecked = append(c.facts.NotChecked, lead.facts.NotChecked[before:]...)
		}
	}()
	observer, ok := lead.runnable()
	if !ok {
		return nil
	}
	lead.watch.Doing(waitingFor(group))
	seen, err := lead.startFor(ctx, observer, group, false)
	if err != nil || seen == nil {
		return err
	}
	var ended []*check
	for i, c := range group {
		view := run.View(*seen, groupSpec(group, false), i)
		c.facts.Run = &view
		if endedWell(c.facts) {
			ended = append(ended, c)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	lead.watch.Doing("starting it once more to see what it left in the background")
	again, err := lead.startFor(ctx, observer, ended, true)
	if err != nil || again == nil {
		return err
	}
	for i, c := range ended {
		view := run.View(*again, groupSpec(ended, true), i)
		c.facts.Wrapped = &view
	}
	return nil
}

// endedWell reports whether the program ended as one that goes to the background.
func endedWell(f *facts.Facts) bool {
	exit := f.Run.Exit
	return exit != nil && exit.Code == 0 && exit.Refused == "" && f.Prediction.Interactive == ""
}

func (c *check) startFor(ctx context.Context, o run.Observer, group []*check, wrapped bool) (*facts.Run, error) {
	return c.start(ctx, o, c.facts, groupSpec(group, wrapped))
}

func groupSpec(group []*check, wrapped bool) run.Spec {
	spec := group[0].spec(group[0].facts)
	for _, c := range group[1:] {
		spec.Also = append(spec.Also, c.facts.Target)
	}
	spec.Wrapped = wrapped
	return spec
}

func waitingFor(group []*check) string {
	names := make([]string, len(group))
	for i, c := range group {
		names[i] = c.facts.Target.Platform
	}
	return "starting it as " + strings.Join(names, ", ") + " would"
}
