package lint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// FromEngineHere opens images of an engine, and runs them without it. What
// takes long is said; say may be nil.
func FromEngineHere(e *engine.Engine, r *local.Runner, say func(string)) Source {
	if say == nil {
		say = func(string) {}
	}
	return engineHere{e, r, say}
}

type engineHere struct {
	engine *engine.Engine
	runner *local.Runner
	say    func(string)
}

// Open takes the image where it is unpacked: by the engine itself, if this
// process may read that, or in the cache. Else the engine has to save it, which
// takes seconds for each 100 MB.
func (s engineHere) Open(ctx context.Context, ref string) (Image, error) {
	stored, err := s.engine.Stored(ctx, ref)
	if errors.Is(err, engine.ErrNoImage) {
		return nil, fmt.Errorf("the engine at %s does not have it: %w", s.engine.Host(), ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	if img, err := s.runner.Adopt(stored.Facts, stored.Dirs); err == nil {
		s.say(fmt.Sprintf("%s is run from the engine's own files", ref))
		return unpackedImage{img, stored.Facts, func() error { return nil }}, nil
	}
	save := &saving{}
	save.image = sync.OnceValues(func() (*image.Image, error) {
		s.say(fmt.Sprintf("getting %s out of the engine (%d MB); the next time its layers are in the cache", ref, stored.Bytes/1e6))
		return saved(ctx, s.engine, stored.Facts.ID, save)
	})
	img, err := s.runner.OpenCached(ctx, stored.Facts, save.layers(stored.DiffIDs))
	if err == nil {
		s.say(fmt.Sprintf("%s is run from the cache of unpacked layers", ref))
		return unpackedImage{img, stored.Facts, save.close}, nil
	}
	if !errors.Is(err, local.ErrNotCached) {
		return nil, err
	}
	whole, err := save.image()
	if err != nil {
		return nil, err
	}
	return &hereImage{Image: whole, runner: s.runner, facts: stored.Facts}, nil
}

// saving gets an image out of the engine when its content is wanted.
type saving struct {
	image func() (*image.Image, error)
	mu    sync.Mutex
	made  *image.Image
}

func saved(ctx context.Context, e *engine.Engine, id string, s *saving) (*image.Image, error) {
	body, err := e.Save(ctx, id)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	img, err := image.Stream(ctx, body, image.Options{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = img
	return img, err
}

// layers are those of the image, which is got when one of them is opened.
func (s *saving) layers(diffIDs []string) (all []layers.Layer) {
	for n, id := range diffIDs {
		all = append(all, layers.Layer{DiffID: id, Open: func() (io.ReadCloser, error) {
			img, err := s.image()
			if err != nil {
				return nil, err
			}
			return img.Layers()[n].Open()
		}})
	}
	return all
}

// close removes what was got.
func (s *saving) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == nil {
		return nil
	}
	return s.made.Close(context.Background())
}

// unpackedImage is run from where it is unpacked.
type unpackedImage struct {
	*local.Image
	facts  facts.Image
	closer func() error
}

func (i unpackedImage) Facts() facts.Image { return i.facts }

func (i unpackedImage) Foreign() string { return local.Foreign(i.facts) }

func (i unpackedImage) Observe(ctx context.Context, spec run.Spec, w run.Watcher) (facts.Run, error) {
	return observeHere(ctx, i.Image, spec, w, "")
}

func (i unpackedImage) Close(ctx context.Context) error {
	return errors.Join(i.Image.Close(ctx), i.closer())
}
