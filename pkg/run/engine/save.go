package engine

import (
	"context"
	"fmt"
	"io"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

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
	body, cancel, err := stream(ctx, e.api, "save", func(ctx context.Context, c *client.Client) (io.ReadCloser, error) {
		return c.ImageSave(ctx, []string{inspected.ID})
	})
	if err != nil {
		return facts.Image{}, nil, fmt.Errorf("save image %q: %w", ref, err)
	}
	return imageFacts(ref, inspected), &patientReader{body, cancel, deadlines["save"]}, nil
}
