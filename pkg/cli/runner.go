package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
)

// The values of --runner.
const (
	runnerAuto   = "auto"   // the engine; without one, and for what none can have, this machine
	runnerDocker = "docker" // the engine only
	runnerLocal  = "local"  // this machine only
)

// here returns what runs images without an engine; nil when that is not
// wanted, or with auto not possible.
func (f *flags) here(ctx context.Context) (*local.Runner, error) {
	switch f.runner {
	case runnerAuto, runnerLocal:
	case runnerDocker:
		return nil, nil
	default:
		return nil, usage("--runner %q: use auto, docker or local", f.runner)
	}
	if f.runner == runnerLocal && f.network != "" {
		return nil, usage("--network: only an engine has networks, not --runner local")
	}
	if f.static {
		return nil, nil
	}
	r, err := local.New(ctx, local.Options{})
	if err == nil {
		return r, nil
	}
	if f.runner == runnerAuto {
		return nil, nil // the engine's absence is told, and what would help
	}
	return nil, &statusError{ExitUnable, err}
}

// withEngine lists the sources where an engine answers.
func (f *flags) withEngine(e *engine.Engine, r *local.Runner, registry lint.Source, say func(string)) []lint.Source {
	in := lint.FromEngine(e)
	switch {
	case r != nil && f.runner == runnerLocal:
		in, registry = lint.FromEngineHere(e, r, say), lint.RunHere(registry, r)
	case r != nil && f.network == "":
		in, registry = lint.FromEngineOr(e, r), lint.RunHereOrPull(registry, r) // nothing is pulled into the engine
	}
	return []lint.Source{lint.ForArchitecture(in, f.arch), registry}
}

// detail tells what only -v wants to know.
func (f *flags) detail(io IO) func(string) {
	if !f.verbose {
		return func(string) {}
	}
	var mu sync.Mutex
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(io.Err, "imglint: %s\n", text)
	}
}

// withoutEngine lists the sources where none answers.
func (f *flags) withoutEngine(why error, r *local.Runner, registry lint.Source, options *lint.Options) []lint.Source {
	if r != nil {
		return []lint.Source{lint.Unavailable(why), lint.RunHere(registry, r)}
	}
	options.NotRun = why.Error()
	return []lint.Source{lint.Unavailable(why), registry}
}
