package lint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run/engine"
)

// basePatience bounds how long a registry is asked for a base image's config:
// without it imglint says less, and not nothing.
const basePatience = 8 * time.Second

// Bases reads the configs of base images, each once: from the engine, else
// from the registry.
type Bases struct {
	Host    string // of the engine; "" finds it
	Version string

	mu     sync.Mutex
	engine *engine.Engine
	dialed bool
	known  map[string]baseConfig
}

type baseConfig struct {
	facts facts.Image
	err   error
}

// Config returns what a base image sets.
func (b *Bases) Config(ctx context.Context, ref string) (facts.Image, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found, ok := b.known[ref]; ok {
		return found.facts, found.err
	}
	found, err := b.read(ctx, ref)
	if b.known == nil {
		b.known = map[string]baseConfig{}
	}
	b.known[ref] = baseConfig{found, err}
	return found, err
}

func (b *Bases) read(ctx context.Context, ref string) (facts.Image, error) {
	if !b.dialed {
		b.dialed = true
		// A second connection: this one starts nothing.
		if e, err := engine.Connect(ctx, engine.Options{Host: b.Host, Static: true}); err == nil {
			b.engine = e
		}
	}
	ctx, cancel := context.WithTimeout(ctx, basePatience)
	defer cancel()
	if b.engine != nil {
		img, err := b.engine.Open(ctx, ref)
		if err == nil {
			return img.Facts(), img.Close(ctx)
		}
		if !errors.Is(err, engine.ErrNoImage) {
			return facts.Image{}, fmt.Errorf("read base image: %w", err)
		}
	}
	img, err := image.Registry(ctx, ref, image.Options{UserAgent: "imglint/" + b.Version})
	if err != nil {
		return facts.Image{}, fmt.Errorf("read base image: %w", err)
	}
	return img.Facts(), img.Close(ctx)
}

// Close disconnects.
func (b *Bases) Close(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.engine == nil {
		return nil
	}
	return b.engine.Close(ctx)
}
