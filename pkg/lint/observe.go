package lint

import (
	"context"
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// observe does the dynamic half: it starts the image, and a second time under
// a process that stays if the first one ended with code 0.
func (c *check) observe(ctx context.Context) error {
	if c.Static || len(c.facts.Launch.Argv) == 0 {
		return nil
	}
	observer, ok := c.runnable()
	if !ok {
		return nil
	}
	c.watch.Doing(waiting(c.facts.Target))
	first, err := c.start(ctx, observer, c.facts, c.spec(c.facts))
	if err != nil {
		return err
	}
	if first == nil {
		return nil
	}
	c.facts.Run = first
	if first.Exit == nil || first.Exit.Code != 0 || first.Exit.Refused != "" || c.facts.Prediction.Interactive != "" {
		return nil
	}
	c.watch.Doing("starting it once more to see what it left in the background")
	spec := c.spec(c.facts)
	spec.Wrapped = true
	c.facts.Wrapped, err = c.start(ctx, observer, c.facts, spec)
	return err
}

// runnable returns the image's observer, or says why it is not run.
func (c *check) runnable() (run.Observer, bool) {
	r, ok := c.image.(Runnable)
	stored, isStored := c.image.(interface{ NotRun() string })
	switch {
	case c.facts.Image.Source == SourceDockerfile:
		return nil, false // the verdict says that nothing was built
	case isStored:
		c.notChecked("what it does when it runs", "%s", stored.NotRun())
		return nil, false
	case c.NotRun != "":
		c.notChecked("what it does when it runs", "%s", c.NotRun)
		return nil, false
	case !ok:
		c.notChecked("what it does when it runs", "the image is in a registry and not in an engine; type `docker pull %s` and try again", c.facts.Image.Ref)
		return nil, false
	}
	if why := r.Foreign(); why != "" {
		c.notChecked("what it does when it runs", "%s", why)
		return nil, false
	}
	return r, true
}

// start makes one run; nil when it ended without telling anything.
func (c *check) start(ctx context.Context, o run.Observer, f *facts.Facts, spec run.Spec) (*facts.Run, error) {
	r, err := o.Observe(ctx, spec, c.watch)
	if err != nil {
		return nil, err
	}
	what := "a part of the run"
	switch {
	case r.Exit == nil && (r.Stopped == facts.StopLost || r.Stopped == facts.StopInterrupted):
		why := fmt.Sprintf("the observation ended early (%s)", r.Stopped)
		switch {
		case r.Stopped == facts.StopLost: // whatever else could not be seen
			why = "what imglint watches from inside the container fell silent: a program that kills every process it can (kill -9 -1) kills that too"
		case len(r.Blind) > 0:
			why = r.Blind[0]
		}
		c.notChecked(wanted(spec), "%s", why)
		return nil, ctx.Err()
	case r.Exit == nil && r.Way == facts.WayLogs:
		what = "whether it listens and answers"
	}
	for _, blind := range r.Blind {
		c.notChecked(what, "%s", blind)
	}
	if r.Exit == nil && r.Way == facts.WayLogs {
		c.unseen = true // it runs: nothing more can be said of it
		return nil, ctx.Err()
	}
	return &r, nil
}

// wanted is what a run is made to see.
func wanted(spec run.Spec) string {
	if spec.Wrapped {
		return "what it leaves in the background"
	}
	return "what it does when it runs"
}

func (c *check) spec(f *facts.Facts) run.Spec {
	return run.Spec{
		Image:   f.Image.ID,
		Argv:    f.Image.Config.Argv(),
		Env:     environment(f, c.Options),
		User:    c.User,
		Volumes: c.Volumes,

		ReadOnly: c.Workload != nil && c.Workload.ReadOnly,
		Target:   f.Target,
		Limits:   c.Limits,
		Settle:   run.MinSettle,
		Expect:   f.Prediction,
		Signs:    c.signs(f),
		Brief:    c.brief && !c.thorough,
		Files:    c.replaced,
	}
}

func waiting(t facts.Target) string {
	if t.Endpoint.Port == 0 {
		return "waiting for it to listen"
	}
	return fmt.Sprintf("waiting for an answer on port %d", t.Endpoint.Port)
}
