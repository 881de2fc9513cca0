package lint

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/local"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// RunHere opens what another source opens, and runs it on this machine without
// an engine.
func RunHere(s Source, r *local.Runner) Source { return here{source: s, runner: r} }

// RunHereOrPull is RunHere where there is an engine too, which could run what
// this machine does not allow, once it has it.
func RunHereOrPull(s Source, r *local.Runner) Source { return here{s, r, true} }

type here struct {
	source Source
	runner *local.Runner
	engine bool // there is one
}

func (h here) Open(ctx context.Context, ref string) (Image, error) {
	img, err := h.source.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	switch i := img.(type) {
	case storedImage:
		return &hereImage{Image: i.Image, runner: h.runner, facts: i.Facts()}, nil
	case registryImage:
		opened := &hereImage{Image: i.Image, runner: h.runner, facts: i.Facts()}
		if h.engine {
			opened.otherwise = fmt.Sprintf("; type `docker pull %s` and try again, and the engine runs it", i.Facts().Ref)
		}
		return opened, nil
	}
	return img, nil
}

// hereImage is unpacked when it is first run.
type hereImage struct {
	*image.Image
	runner *local.Runner
	facts  facts.Image
	// otherwise says how it could be run when this machine does not allow it.
	otherwise string

	mu     sync.Mutex
	opened *local.Image
}

func (i *hereImage) Facts() facts.Image { return i.facts }

func (i *hereImage) Foreign() string { return local.Foreign(i.facts) }

func (i *hereImage) Observe(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	img, err := i.unpacked(ctx)
	if err != nil {
		return facts.Run{}, err
	}
	return observeHere(ctx, img, spec, w, i.otherwise)
}

// observeHere makes a doubtful run, and one that this machine does not allow,
// one that was not finished: what was read of the image is said all the same,
// and how else it could be run.
func observeHere(ctx context.Context, img *local.Image, spec run.Spec, w run.Watcher, otherwise string) (facts.Run, error) {
	seen, err := img.Observe(ctx, spec, w)
	seen.Way = facts.WayLocal
	var doubt *local.InconclusiveError
	switch {
	case errors.As(err, &doubt):
		return facts.Run{Stopped: facts.StopInterrupted, Blind: []string{doubt.Error()}}, nil
	case errors.Is(err, local.ErrUnsupported):
		return facts.Run{Stopped: facts.StopInterrupted, Blind: []string{err.Error() + otherwise}}, nil
	}
	return seen, err
}

func (i *hereImage) unpacked(ctx context.Context) (*local.Image, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.opened != nil {
		return i.opened, nil
	}
	var from []layers.Layer
	for _, l := range i.Layers() {
		from = append(from, layers.Layer{DiffID: l.DiffID, Open: l.Open})
	}
	var err error
	i.opened, err = i.runner.Open(ctx, i.facts, from)
	return i.opened, err
}

func (i *hereImage) Close(ctx context.Context) error {
	var err error
	if i.opened != nil {
		err = i.opened.Close(ctx)
	}
	return errors.Join(err, i.Image.Close(ctx))
}
