package lint

import (
	"context"
	"errors"
	"fmt"

	"github.com/imglint/imglint/pkg/image"
)

// Reading says which image of several to read, and how much of it.
type Reading struct {
	Version       string // of imglint, for the User-Agent
	Architecture  string // as in GOARCH; "": amd64, or the only one there is
	MaxLayerBytes int64  // of the layers as they are stored; 0: image.DefaultMaxLayerBytes
	Indexes       string // directory of what is kept of layers in registries; "": nothing is kept
}

func (r Reading) options() image.Options {
	return image.Options{UserAgent: "imglint/" + r.Version, Architecture: r.Architecture, MaxLayerBytes: r.MaxLayerBytes,
		Indexes: image.Indexes{Dir: r.Indexes}}
}

// FromRegistry opens images in registries; they can be read and not run.
func FromRegistry(r Reading) Source { return registrySource{r} }

type registrySource struct{ reading Reading }

func (s registrySource) Open(ctx context.Context, ref string) (Image, error) {
	img, err := image.Registry(ctx, ref, s.reading.options())
	if errors.Is(err, image.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", err, ErrNoImage)
	}
	if err != nil {
		return nil, err
	}
	return registryImage{img}, nil
}

// registryImage is an image that is in a registry.
type registryImage struct{ *image.Image }

// ForArchitecture opens only the images of a source that are for a CPU, as
// GOARCH names it; "": all.
func ForArchitecture(s Source, architecture string) Source {
	if architecture == "" {
		return s
	}
	return oneArchitecture{s, architecture}
}

type oneArchitecture struct {
	Source
	architecture string
}

func (s oneArchitecture) Open(ctx context.Context, ref string) (Image, error) {
	img, err := s.Source.Open(ctx, ref)
	if err != nil || img.Facts().Architecture == s.architecture {
		return img, err
	}
	return nil, errors.Join(fmt.Errorf("the engine has it for %s only: %w", img.Facts().Architecture, ErrNoImage), img.Close(context.WithoutCancel(ctx)))
}

// Unavailable stands for an engine that cannot be used: it has no image, and
// says why.
func Unavailable(why error) Source { return unavailable{why} }

type unavailable struct{ why error }

func (u unavailable) Open(context.Context, string) (Image, error) {
	return nil, fmt.Errorf("%w: %w", u.why, ErrNoImage)
}
