package lint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run/engine"
)

// basePatience bounds how long a registry is asked for a base image's config:
// without it imglint says less, and not nothing.
const basePatience = 8 * time.Second

// layoutScheme marks a base image that is stored at a path of this machine.
const layoutScheme = "oci-layout://"

// Bases reads base images, each once: from the engine, else from the registry,
// or where they are stored. Close it at the end: until then their files can be
// read, as far as a question needs them.
type Bases struct {
	Host    string // of the engine; "" finds it
	Reading Reading

	mu     sync.Mutex
	engine *engine.Engine
	dialed bool
	known  map[string]baseImage
	opened []closer
}

type closer interface{ Close(context.Context) error }

type baseImage struct {
	Image
	err error
}

// Open returns a base image: of a reference, or of oci-layout://PATH, which may
// be an archive too.
func (b *Bases) Open(ctx context.Context, ref string) (Image, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.known[ref]
	if !ok {
		found.Image, found.err = b.read(ctx, ref)
		if b.known == nil {
			b.known = map[string]baseImage{}
		}
		b.known[ref] = found
	}
	return found.Image, found.err
}

func (b *Bases) read(ctx context.Context, ref string) (Image, error) {
	if file, ok := strings.CutPrefix(ref, layoutScheme); ok {
		o := b.Reading.options()
		file, o.Name = nameIn(file)
		img, err := image.Local(ctx, file, o)
		if err != nil {
			return nil, fmt.Errorf("read base image: %w", err)
		}
		b.opened = append(b.opened, img)
		return img, nil
	}
	if strings.Contains(ref, "://") {
		return nil, fmt.Errorf("read base image: %s is fetched while building", ref)
	}
	if img, err := b.fromEngine(ctx, ref); img != nil || err != nil {
		return img, err
	}
	// Its files may be asked for later, and then may take longer.
	ctx, cancel := context.WithCancelCause(ctx)
	impatient := time.AfterFunc(basePatience, func() { cancel(errImpatient) })
	img, err := image.Registry(ctx, ref, b.Reading.options())
	if !impatient.Stop() && err == nil {
		err = errImpatient
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, fmt.Errorf("read base image: %w", err)
	}
	b.opened = append(b.opened, img, closing(cancel))
	return img, nil
}

var errImpatient = fmt.Errorf("the registry did not answer within %s", basePatience)

// closing ends what still reads.
type closing context.CancelCauseFunc

func (c closing) Close(context.Context) error {
	c(nil)
	return nil
}

// fromEngine finds a base image in the engine; nil: it has none.
func (b *Bases) fromEngine(ctx context.Context, ref string) (Image, error) {
	if !b.dialed {
		b.dialed = true
		// A second connection: this one starts nothing.
		if e, err := engine.Connect(ctx, engine.Options{Host: b.Host, Static: true}); err == nil {
			b.engine = e
		}
	}
	if b.engine == nil {
		return nil, nil
	}
	img, err := b.engine.Open(ctx, ref)
	switch {
	case errors.Is(err, engine.ErrNoImage):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read base image: %w", err)
	}
	b.opened = append(b.opened, img)
	return img, nil
}

// Close removes what reading made and disconnects.
func (b *Bases) Close(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var faults []error
	for _, o := range b.opened {
		faults = append(faults, o.Close(ctx))
	}
	if b.engine != nil {
		faults = append(faults, b.engine.Close(ctx))
	}
	return errors.Join(faults...)
}
