package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/imglint/imglint/pkg/facts"
)

// Image is an image of the engine, opened for reading and running.
type Image struct {
	engine *Engine
	facts  facts.Image
	stored Stored
	reader *cell // a cell or a reader made of the image; nil when nothing is started
	strict bool  // the cell that it has is one where low ports are root's
	copies *copies
	runs   sync.Mutex  // one run at a time: they share the cell's network
	ways   []facts.Way // those that may be possible, nil: all
	why    error       // why those before are not

	discards sync.WaitGroup
	mu       sync.Mutex
	leaving  chan struct{} // closed when the last run's container is gone
	faults   []error       // of removals in the background
}

// Open reads an image's config and history. Unless the engine was opened for
// reading only, the cell for its runs is started meanwhile. An image that the
// engine does not have is ErrNoImage.
func (e *Engine) Open(ctx context.Context, ref string) (*Image, error) {
	inspected, err := e.inspect(ctx, ref)
	if err != nil {
		e.pool.missing()
	}
	if isKind(err, KindRefused) && cerrdefs.IsNotFound(err) {
		return nil, fmt.Errorf("open image %q: %w", ref, ErrNoImage)
	}
	if err != nil {
		return nil, fmt.Errorf("open image %q: %w", ref, err)
	}
	im := &Image{engine: e, facts: imageFacts(ref, inspected), stored: stored(ref, inspected), copies: newCopies(e, inspected.ID)}
	if !e.opts.Static {
		im.reader = e.pool.open(ctx, im)
	}
	history, err := e.api.history(ctx, inspected.ID)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open image %q: %w", ref, err), im.Close(context.WithoutCancel(ctx)))
	}
	im.facts.History = historyFacts(history, len(inspected.RootFS.Layers))
	return im, nil
}

// openRequests are those of Open: the image's config and its history.
const openRequests = 2

// Cost returns what reading the image took so far. What a probe in the image
// answers costs no request.
func (im *Image) Cost() facts.Cost {
	im.copies.mu.Lock()
	defer im.copies.mu.Unlock()
	cost := im.copies.cost
	cost.Requests += openRequests
	return cost
}

// Facts returns what the image's config says.
func (im *Image) Facts() facts.Image { return im.facts }

// Stored is how the engine keeps the image, which it told when that was opened:
// for what runs it when the engine does not answer any more.
func (im *Image) Stored() Stored { return im.stored }

// Files returns the image's file system. It asks a probe in the image when
// something may be started, else a container that is made for it and never started.
func (im *Image) Files() fs.FS {
	return tree{sync.OnceValue(func() backend {
		if im.reader != nil && im.reader.wait(context.Background()) == nil {
			return im.reader.files
		}
		return im.copies
	})}
}

// cleanupPatience bounds how long Close takes when an engine hangs: each
// operation has its own deadline, and a few follow each other.
const cleanupPatience = time.Minute

// Close removes everything that was made for the image, also when the context
// is cancelled already.
func (im *Image) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	im.discards.Wait()
	err := im.copies.close(ctx)
	if im.reader != nil && im.reader.beside != nil {
		err = errors.Join(err, im.reader.close(ctx))
	}
	if !im.engine.opts.Static {
		im.engine.pool.close(ctx, im)
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	return errors.Join(append(im.faults, err)...)
}

// discard removes a run's container in the background; the next run waits
// for it, because the two would share a network. The cell is the one that it
// joined, if any.
func (im *Image) discard(ctx context.Context, id, role string, joined *cell) {
	if joined != nil {
		joined.users.Add(1)
	}
	gone := make(chan struct{})
	im.mu.Lock()
	before := im.leaving
	im.leaving = gone
	im.mu.Unlock()
	im.discards.Go(func() {
		defer close(gone)
		if before != nil {
			<-before // it may have joined this one, which Podman does not remove then
		}
		if joined != nil {
			defer joined.users.Done()
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
		defer cancel()
		if err := im.engine.remove(ctx, id, role); err != nil {
			im.mu.Lock()
			defer im.mu.Unlock()
			im.faults = append(im.faults, fmt.Errorf("remove container %.12s: %w", id, err))
		}
	})
}

// vacant waits until the container of the run before is gone.
func (im *Image) vacant(ctx context.Context) error {
	im.mu.Lock()
	leaving := im.leaving
	im.mu.Unlock()
	if leaving == nil {
		return nil
	}
	select {
	case <-leaving:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
