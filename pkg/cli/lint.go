package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
)

// lintImages is the root command: it checks the images, prints what was found
// and turns it into an exit status.
func lintImages(ctx context.Context, io IO, settings *settings, images []string) error {
	f, err := settings.flags(nil)
	if err != nil {
		return err
	}
	if images, err = f.images(io, images); err != nil {
		return err
	}
	images = settings.named(images)
	if err := checkArguments(images); err != nil {
		return err
	}
	each, err := settings.each(images)
	if err != nil {
		return err
	}
	options, failOn, err := f.options(io.Getenv)
	if err != nil {
		return err
	}
	outputs, err := f.outputs(io)
	if err != nil {
		return err
	}
	places, closing, err := f.places(ctx, io, images, &options)
	if err != nil {
		return err
	}
	defer closing()
	s := &session{
		io: io, flags: f, settings: settings, images: images, options: each, places: places,
		ignore: options.Ignore, notRun: options.NotRun, failOn: failOn, outputs: outputs,
		found: make([][]report.Result, len(images)), done: make([]bool, len(images)),
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	if err := s.edits(); err != nil {
		return err
	}
	return s.status(ctx)
}

func jobs(f *flags) int {
	if f.jobs > 0 {
		return f.jobs
	}
	return runtime.NumCPU()
}

// connect finds where images come from. Without an engine the registry is
// left, and nothing can be run; that is said once an image is found there.
func connect(ctx context.Context, f *flags, io IO, images int, here *local.Runner, options *lint.Options) ([]lint.Source, func(), error) {
	registry := lint.FromRegistry(f.reading())
	static := f.static || f.runner == runnerLocal
	e, err := engine.Connect(ctx, engine.Options{Host: f.host, Static: static, Network: f.network, Images: images, Cache: cacheDir()})
	var known *engine.Error
	switch {
	case err == nil:
		return f.withEngine(e, here, registry, f.detail(io)), func() {
			if err := e.Close(context.WithoutCancel(ctx)); err != nil {
				fmt.Fprintf(io.Err, "imglint: %v\n", err)
			}
		}, nil
	case errors.As(err, &known) && known.Kind == engine.KindConfig:
		return nil, nil, &statusError{ExitUsage, err}
	case ctx.Err() != nil:
		return nil, nil, &statusError{ExitUnable, context.Cause(ctx)}
	}
	return f.withoutEngine(err, here, registry, options), func() {}, nil
}

// cacheDir is the user's directory of what can be made anew, "" without one.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "imglint")
}

// indexDir is where indexes of layers are kept, "" for nowhere.
func indexDir() string {
	if dir := cacheDir(); dir != "" {
		return filepath.Join(dir, "index")
	}
	return ""
}

// session is one call's images.
type session struct {
	io       IO
	flags    *flags
	settings *settings
	images   []string
	options  []imageOptions // of each image
	places   places
	ignore   map[string]bool // rules
	notRun   string          // why nothing is run
	failOn   finding.Severity
	outputs  []*output

	mu      sync.Mutex
	found   [][]report.Result // of each image, one a platform
	done    []bool
	printed int
}

// results are those of all images, in the order of the arguments.
func (s *session) results() []report.Result { return slices.Concat(s.found...) }

// run checks all images, a few at once, and prints each as soon as those
// before it are printed.
func (s *session) run(ctx context.Context) error {
	progress := s.progress()
	work := make(chan int)
	linters := make([]*lint.Linter, len(s.images))
	var workers sync.WaitGroup
	for range min(jobs(s.flags), len(s.images)) {
		workers.Go(func() {
			for i := range work {
				linters[i] = s.linterFor(i)
				s.finished(i, guarded(ctx, linters[i], s.images[i], s.options[i].platforms, progress), progress)
			}
		})
	}
	for i := range s.images {
		work <- i
	}
	close(work)
	workers.Wait()
	progress.Close()
	s.remark()
	err := s.finish()
	for _, l := range linters {
		if left := l.Close(); left != nil {
			fmt.Fprintf(s.io.Err, "imglint: not everything was removed: %v\n", left)
		}
	}
	return err
}

// finished keeps an image's results and prints what can be printed in order.
func (s *session) finished(i int, results []report.Result, progress progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[i], s.done[i] = results, true
	s.print(i, true, progress)
	for s.printed < len(s.done) && s.done[s.printed] {
		s.print(s.printed, false, progress)
		s.printed++
	}
}

// colour is for terminals whose user did not ask for none (no-color.org).
func (s *session) colour() bool {
	return s.io.OutTerminal && s.io.Getenv("NO_COLOR") == "" && s.io.Getenv("TERM") != "dumb"
}

// status turns results into the exit status: what could not be checked
// weighs more than what was found.
func (s *session) status(ctx context.Context) error {
	if ctx.Err() != nil {
		return &statusError{ExitUnable, context.Cause(ctx)}
	}
	status := ExitClean
	for i, results := range s.found {
		for _, r := range results {
			status = max(status, s.imageStatus(r, s.options[i].Static))
		}
	}
	if status == ExitClean {
		return nil
	}
	return &statusError{status: status}
}

func (s *session) imageStatus(r report.Result, static bool) int {
	if r.Err != nil || r.Facts == nil {
		return ExitUnable
	}
	for _, f := range r.Findings {
		if f.Severity >= s.failOn {
			return ExitFindings
		}
	}
	if unbuilt(r) {
		return unbuiltStatus(r)
	}
	if !static && r.Facts.Run == nil && len(r.Facts.Launch.Argv) > 0 {
		return ExitUnable // it was to be run and was not
	}
	if lint.Doubtful(r) {
		return ExitUnable
	}
	return ExitClean
}

// progress is what the linter tells a person who waits.
type progress interface {
	lint.Watcher
	// Pause removes the live line until something happens again.
	Pause()
	Close()
}

func (s *session) progress() progress {
	if s.flags.quiet || !s.io.ErrTerminal {
		return silence{}
	}
	return report.NewProgress(s.io.Err, s.io.Width, report.Style{Colour: s.colour()})
}

// silence is the progress of pipes and logs.
type silence struct{}

func (silence) Doing(string)      {}
func (silence) Event(facts.Event) {}
func (silence) Log(facts.LogLine) {}
func (silence) Pause()            {}
func (silence) Close()            {}
