package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"github.com/imglint/imglint/pkg/facts"
)

// Stored is an image as the engine keeps it: for what runs it without the
// engine.
type Stored struct {
	Facts   facts.Image
	DiffIDs []string // of its layers, the lowest first
	Bytes   int64
	// Dirs are its unpacked layers on the engine's machine as overlayfs takes
	// them, the topmost first; nil when the engine keeps them otherwise.
	Dirs []string
}

// Stored describes an image. One that the engine does not have is ErrNoImage.
func (e *Engine) Stored(ctx context.Context, ref string) (Stored, error) {
	in, err := e.inspect(ctx, ref)
	if isKind(err, KindRefused) && cerrdefs.IsNotFound(err) {
		return Stored{}, fmt.Errorf("find image %q: %w", ref, ErrNoImage)
	}
	if err != nil {
		return Stored{}, fmt.Errorf("find image %q: %w", ref, err)
	}
	history, err := e.api.history(ctx, in.ID)
	if err != nil {
		return Stored{}, fmt.Errorf("find image %q: %w", ref, err)
	}
	s := stored(ref, in)
	s.Facts.History = historyFacts(history, len(s.DiffIDs))
	return s, nil
}

func stored(ref string, in image.InspectResponse) Stored {
	return Stored{Facts: imageFacts(ref, in), DiffIDs: in.RootFS.Layers, Bytes: in.Size, Dirs: overlayDirs(in)}
}

// overlayDirs reads what the overlay drivers of Docker and Podman tell.
func overlayDirs(in image.InspectResponse) []string {
	if in.GraphDriver.Name != "overlay2" && in.GraphDriver.Name != "overlay" {
		return nil
	}
	dirs := []string{in.GraphDriver.Data["UpperDir"]}
	if lower := in.GraphDriver.Data["LowerDir"]; lower != "" {
		dirs = append(dirs, strings.Split(lower, ":")...)
	}
	if len(dirs) != len(in.RootFS.Layers) || slices.Contains(dirs, "") {
		return nil
	}
	return dirs
}

// Save returns an image as docker save writes it.
func (e *Engine) Save(ctx context.Context, id string) (io.ReadCloser, error) {
	body, err := e.api.save(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("save image %q: %w", id, err)
	}
	return body, nil
}
