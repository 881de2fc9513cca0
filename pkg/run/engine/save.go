package engine

import (
	"context"
	"fmt"
	"io"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/imglint/imglint/pkg/facts"
)

// Save returns what the engine says of an image, and the image as docker save
// writes it: for what runs it without the engine.
func (e *Engine) Save(ctx context.Context, ref string) (facts.Image, io.ReadCloser, error) {
	inspected, err := e.api.inspectImage(ctx, ref)
	if isKind(err, KindRefused) && cerrdefs.IsNotFound(err) {
		return facts.Image{}, nil, fmt.Errorf("save image %q: %w", ref, ErrNoImage)
	}
	if err != nil {
		return facts.Image{}, nil, fmt.Errorf("save image %q: %w", ref, err)
	}
	body, err := e.api.save(ctx, inspected.ID)
	if err != nil {
		return facts.Image{}, nil, fmt.Errorf("save image %q: %w", ref, err)
	}
	return imageFacts(ref, inspected), body, nil
}
