// Package lint takes one image all the way: it collects the facts, runs the
// rules over them, places the findings and proves the fixes. It is the only
// place that knows the order.
package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/ignore"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/manifest"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/rule"
	"github.com/imglint/imglint/pkg/run"
)

// Image is an opened image.
type Image interface {
	Facts() facts.Image
	// Files is the root file system; a path that was not looked at answers
	// facts.ErrNotExamined.
	Files() fs.FS
	// Close removes whatever opening and running it made.
	Close(context.Context) error
}

// Runnable is an image that can be started where it is.
type Runnable interface {
	Image
	run.Observer
	// Foreign says why this machine cannot run it, "" if it can.
	Foreign() string
}

// Source opens images. Open answers an error that wraps ErrNoImage when it
// does not have the image, so that the next source is asked.
type Source interface {
	Open(ctx context.Context, ref string) (Image, error)
}

// ErrNoImage is what a Source answers about an image that it does not have.
var ErrNoImage = errors.New("no such image")

// Watcher is told what a person wants to see while they wait.
type Watcher interface {
	run.Watcher
	Doing(what string)
}

// Options are the same for every image of a call.
type Options struct {
	Platform   *platform.Platform
	Overrides  platform.Overrides
	Dockerfile Dockerfile
	Env        []string // KEY=VALUE for the image
	Volumes    []string
	Network    string // of an engine, that runs are put on; "": one without a way out
	User       string
	Limits     run.Limits
	Static     bool
	// NotRun says why nothing is run although the user did not ask for Static.
	NotRun string
	Prove  bool
	Rules  []*rule.Rule
	Signs  Signs // may be nil
	// Interpreter decides entrypoint scripts that reading does not; may be nil.
	Interpreter launch.Interpreter

	Ignore map[string]bool // rule IDs
	// Ignores come with reasons; those of the Dockerfile and of the image's
	// label are found while linting.
	Ignores []ignore.Ignore
	// Severities replace the findings' own, by rule; the verdict keeps to the rules'.
	Severities map[string]finding.Severity
	// Entrypoint replaces the image's ENTRYPOINT and drops its CMD, as docker
	// run --entrypoint does; nil: it does not; empty: there is none.
	Entrypoint []string
	// Command replaces the image's CMD, as the words behind docker run IMAGE
	// do; nil: it does not.
	Command []string
	// Service is the line of a Procfile to start; "": each of them.
	Service string

	// Workload is the container of a manifest that the image is started as.
	Workload *manifest.Workload

	service platform.Service // the line that a check is about
	probe   *manifest.Probe  // the one that it is about; nil: there is none
	asIs    bool             // the config holds what all of these say about the command
}

// Dockerfile is the file that the image may have been built from.
type Dockerfile struct {
	Name string // as the user would name it
	Text []byte
	// Explicit: the user named it, so that a mismatch is worth saying.
	Explicit bool
	// Context is the directory that COPY reads, and Dir its name; nil: the
	// directory of Name, or else the working directory, if it has what is copied.
	Context fs.FS
	Dir     string
}

// Linter checks images one after the other or at once. Close it when all are
// done.
type Linter struct {
	Sources []Source
	Options Options

	closing sync.WaitGroup
	mu      sync.Mutex
	faults  []error
}

// closePatience bounds the removal of what was made for one image.
const closePatience = time.Minute

// discard removes what was made for an image in the background, so that
// nobody waits for it to read what was found.
func (l *Linter) discard(ctx context.Context, img Image) {
	l.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
		defer cancel()
		if err := img.Close(ctx); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.faults = append(l.faults, err)
		}
	})
}

// Close waits until everything that was made is removed, and says what was not.
func (l *Linter) Close() error {
	l.closing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.faults...)
}

// Lint checks one image. What kept it from looking is in the result's Err and
// NotChecked.
func (l *Linter) Lint(ctx context.Context, ref string, w Watcher) (result report.Result) {
	began := time.Now()
	result = report.Result{Ref: ref, Verdict: finding.Unknown}
	defer func() { result.Took = time.Since(began) }()

	w.Doing("reading " + ref)
	img, err := l.open(ctx, ref)
	if err != nil {
		result.Err = err
		return result
	}
	defer l.discard(ctx, img)
	if l.Options.Workload != nil {
		return l.lintWorkload(ctx, img, ref, w)
	}
	services, err := servicesOf(img, l.Options)
	if err != nil {
		result.Err = err
		return result
	}
	if len(services) > 1 {
		return merged(l.LintAll(ctx, ref, []*platform.Platform{l.Options.Platform}, w))
	}
	secrets := l.Options.redactorFor(img.Facts())
	c := &check{Options: l.Options, image: img, watch: discreet{w, secrets}}
	c.service = services[0]
	c.located = l.placed(ctx, img, []*platform.Platform{c.Platform})
	c.facts = c.collect()
	if others := c.others(); len(others) > 0 {
		result = sole(conclude(ctx, ref, append([]*check{c}, others...), began))
	} else {
		result = c.alone(ctx, ref, began)
	}
	redact(secrets, &result)
	return result
}

// sole is the one result of a conclusion, or of what kept from it.
func sole(results []report.Result, err error) report.Result {
	if err != nil {
		return report.Result{Verdict: finding.Unknown, Err: err}
	}
	return results[0]
}

// alone takes a check that shares nothing to its end.
func (c *check) alone(ctx context.Context, ref string, began time.Time) report.Result {
	if err := c.do(ctx); err != nil {
		return report.Result{Ref: ref, Verdict: finding.Unknown, Err: err}
	}
	c.facts.Took = facts.ToMillis(time.Since(began))
	return c.result(ref)
}

// open asks the sources in turn. When none has the image, the error says what
// each of them answered.
func (l *Linter) open(ctx context.Context, ref string) (Image, error) {
	var answers []string
	for _, s := range l.Sources {
		img, err := s.Open(ctx, ref)
		if err == nil {
			return img, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != ErrNoImage { // else the argument is not for this source
			answers = append(answers, strings.TrimSuffix(err.Error(), ": "+ErrNoImage.Error()))
		}
		if !errors.Is(err, ErrNoImage) {
			break
		}
	}
	return nil, fmt.Errorf("no image to check: %s", strings.Join(answers, ", and "))
}

// check is one image's way through.
type check struct {
	Options
	reasons
	image    Image
	watch    Watcher
	facts    *facts.Facts
	findings []finding.Finding
	ignored  []finding.Finding
	unseen   bool       // it was run, and nothing was seen but that it goes on
	mismatch error      // why the image was not built from the Dockerfile at hand
	record   Dockerfile // the one that the image's provenance holds
	edits    *report.Edit
	located  *location // nil: not looked for yet
	further  bool      // it is about a further port of the check before it
	brief    bool      // it is the trial of a fix
	thorough bool      // of a trial: what a stop signal does is looked at too
	// edited are a trial's edits of the image's files, replaced what they make of them.
	edited   []finding.FileEdit
	replaced []run.File
	own      *ownFiles
}

func (c *check) do(ctx context.Context) error {
	located := make(chan *location, 1)
	if c.located != nil {
		located <- c.located
	} else {
		go func() { located <- c.location(ctx) }()
	}
	if err := c.observe(ctx); err != nil {
		<-located
		return err
	}
	c.at(<-located)
	c.guess()
	c.judge()
	c.hedge()
	if err := measureAll(ctx, []*check{c}, new(int)); err != nil {
		return err
	}
	if err := proveAll(ctx, []*check{c}, new(int)); err != nil {
		return err
	}
	c.mark()
	c.place()
	return ctx.Err()
}

// judge runs the rules over the facts.
func (c *check) judge() {
	found(c.facts)
	c.findings = rule.CheckAll(c.Rules, c.facts)
	c.quote()
}

// collect does the static half for the check.
func (c *check) collect() *facts.Facts {
	o := c.Options
	if c.located != nil {
		o.Overrides.Order = exposeOrder(c.located.dockerfile)
	}
	f := collect(c.image.Facts(), c.image.Files(), o)
	if o.Platform.Release != nil {
		f.NotChecked = append(f.NotChecked, beforeRelease(c.image.Files(), o.Platform)...)
	}
	return f
}

// environment is what is added to the image's own: the platform's variables,
// then the user's.
func environment(f *facts.Facts, o Options) []string {
	return append(append([]string{}, f.Target.Env...), o.Env...)
}

func (c *check) notChecked(what, format string, args ...any) {
	c.facts.NotChecked = append(c.facts.NotChecked, finding.NotChecked{What: what, Why: fmt.Sprintf(format, args...)})
}
