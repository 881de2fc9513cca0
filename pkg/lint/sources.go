package lint

import (
	"context"
	"errors"
	"fmt"

	"github.com/imglint/imglint/pkg/image"
	"github.com/imglint/imglint/pkg/run/engine"
)

// FromEngine opens the images of a container engine.
func FromEngine(e *engine.Engine) Source { return engineSource{e} }

type engineSource struct{ engine *engine.Engine }

func (s engineSource) Open(ctx context.Context, ref string) (Image, error) {
	img, err := s.engine.Open(ctx, ref)
	if errors.Is(err, engine.ErrNoImage) {
		return nil, fmt.Errorf("the engine at %s does not have it: %w", s.engine.Host(), ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	return engineImage{Image: img, machine: s.engine.Architecture()}, nil
}

// engineImage is an image that the engine can run, if it is for its machine.
type engineImage struct {
	*engine.Image
	machine string // GOARCH
}

func (i engineImage) Foreign() string {
	if arch := i.Facts().Architecture; arch != "" && arch != i.machine {
		return fmt.Sprintf("the image is for %s and this engine runs %s; type docker build --platform linux/%s to make one that can be tried here", arch, i.machine, i.machine)
	}
	return ""
}

// FromRegistry opens images in registries; they can be read and not run.
func FromRegistry(version string) Source { return registrySource{version} }

type registrySource struct{ version string }

func (s registrySource) Open(ctx context.Context, ref string) (Image, error) {
	img, err := image.Registry(ctx, ref, image.Options{UserAgent: "imglint/" + s.version})
	if errors.Is(err, image.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", err, ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	return registryImage{img}, nil
}

// registryImage adds a Close to an image that leaves nothing behind.
type registryImage struct{ *image.Image }

func (registryImage) Close(context.Context) error { return nil }

// Unavailable stands for an engine that cannot be used: it has no image, and
// says why.
func Unavailable(why error) Source { return unavailable{why} }

type unavailable struct{ why error }

func (u unavailable) Open(context.Context, string) (Image, error) {
	return nil, fmt.Errorf("%w: %w", u.why, ErrNoImage)
}
