package lint

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
)

// FromEngine opens the images of a container engine.
func FromEngine(e *engine.Engine) Source { return engineSource{engine: e} }

// FromEngineOr is FromEngine, but an image whose run an engine that hangs or
// goes away has broken off is run without it, where its files can be read.
func FromEngineOr(e *engine.Engine, r *local.Runner) Source { return engineSource{e, r} }

type engineSource struct {
	engine *engine.Engine
	runner *local.Runner // nil: there is no other way
}

func (s engineSource) Open(ctx context.Context, ref string) (Image, error) {
	img, err := s.engine.Open(ctx, ref)
	if errors.Is(err, engine.ErrNoImage) {
		return nil, fmt.Errorf("the engine at %s does not have it: %w", s.engine.Host(), ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	return &engineImage{Image: img, machine: s.engine.Architecture(), runner: s.runner}, nil
}

// engineImage is an image that the engine can run, if it is for its machine.
type engineImage struct {
	*engine.Image
	machine string // GOARCH
	runner  *local.Runner

	mu    sync.Mutex
	alone *local.Image // once the engine was given up
	why   error        // what the engine did
}

// Foreign says why the engine cannot run it.
func (i *engineImage) Foreign() string {
	if arch := i.Facts().Architecture; arch != "" && arch != i.machine {
		return fmt.Sprintf("the image is for %s and this engine runs %s; type docker build --platform linux/%s to make one that can be tried here", arch, i.machine, i.machine)
	}
	return ""
}

// Observe runs the image in the engine for as long as that answers.
func (i *engineImage) Observe(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.alone == nil {
		seen, err := i.Image.Observe(ctx, spec, w)
		if !engine.Gone(err) || ctx.Err() != nil || !i.leave(err) {
			return seen, err
		}
	}
	seen, err := observeHere(ctx, i.alone, spec, w, "")
	seen.Blind = append(seen.Blind, fmt.Sprintf("it was run without the engine, because of that: %v", i.why))
	return seen, err
}

// leave gives the engine up, if the image can be run without it.
func (i *engineImage) leave(why error) bool {
	stored := i.Stored()
	if i.runner == nil || local.Foreign(stored.Facts) != "" {
		return false
	}
	img, err := i.runner.Adopt(stored.Facts, stored.Dirs)
	if err != nil {
		return false
	}
	i.alone, i.why = img, why
	return true
}

// Close removes what was made for it.
func (i *engineImage) Close(ctx context.Context) error {
	err := i.Image.Close(ctx)
	if i.alone != nil {
		err = errors.Join(err, i.alone.Close(ctx))
	}
	return err
}
