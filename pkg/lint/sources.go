package lint

import (
	"context"
	"errors"
	"fmt"

	"github.com/imglint/imglint/pkg/image"
)

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
