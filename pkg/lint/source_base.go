package lint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run/engine"
)

// basePatience bounds how long a registry is asked for a base image's config:
// without it imglint says less, and not nothing.
const basePatience = 8 * time.Second

// Bases reads base images, each once: from the engine with their files, else
// the config from the registry. Close it at the end.
type Bases struct {
	Host    string // of the engine; "" finds it
	Reading Reading

	mu     sync.Mutex
	engine *engine.Engine
	dialed bool
	known  map[string]baseImage
	opened []*engine.Image
}

type baseImage struct {
	facts facts.Image
	files fs.FS
	err   error
}

// Open returns what a base image sets, and its files when the engine has it: a
// registry would have to be asked for whole layers.
func (b *Bases) Open(ctx context.Context, ref string) (facts.Image, fs.FS, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.known[ref]
	if !ok {
		found = b.read(ctx, ref)
		if b.known == nil {
			b.known = map[string]baseImage{}
		}
		b.known[ref] = found
	}
	return found.facts, found.files, found.err
}

func (b *Bases) read(ctx context.Context, ref string) baseImage {
	if !b.dialed {
		b.dialed = true
		// A second connection: this one starts nothing.
		if e, err := engine.Connect(ctx, engine.Options{Host: b.Host, Static: true}); err == nil {
			b.engine = e
		}
	}
	if b.engine != nil {
		img, err := b.engine.Open(ctx, ref)
		if err == nil {
			b.opened = append(b.opened, img)
			return baseImage{facts: img.Facts(), files: img.Files()}
		}
		if !errors.Is(err, engine.ErrNoImage) {
			return baseImage{err: fmt.Errorf("read base image: %w", err)}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, basePatience)
	defer cancel()
	img, err := image.Registry(ctx, ref, b.Reading.options())
	if err != nil {
		return baseImage{err: fmt.Errorf("read base image: %w", err)}
	}
	return baseImage{facts: img.Facts(), err: img.Close(ctx)}
}

// Close removes what reading made and disconnects.
func (b *Bases) Close(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var faults []error
	for _, img := range b.opened {
		faults = append(faults, img.Close(ctx))
	}
	if b.engine != nil {
		faults = append(faults, b.engine.Close(ctx))
	}
	return errors.Join(faults...)
}
