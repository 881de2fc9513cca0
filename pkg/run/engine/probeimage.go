package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

const probeImageLifetime = 2 * time.Hour

// probeImage is an image of the probe alone, for an engine that does not let
// it into other images. It is made when it is first needed.
type probeImage struct {
	mu     sync.Mutex
	id     string
	failed error
}

// sidecarImage returns the probe's image.
func (e *Engine) sidecarImage(ctx context.Context) (string, error) {
	p := &e.sidecars
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.id == "" && p.failed == nil {
		p.id, p.failed = e.importProbe(ctx)
	}
	return p.id, p.failed
}

func (e *Engine) importProbe(ctx context.Context) (string, error) {
	packed, err := e.probe()
	if err != nil {
		return "", err
	}
	changes := []string{`ENTRYPOINT ["/probe"]`, "USER 0:0"}
	labels := e.owner.labels(roleProbe, probeImageLifetime)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		changes = append(changes, "LABEL "+key+"="+strconv.Quote(labels[key]))
	}
	id, err := e.api.importImage(ctx, bytes.NewReader(packed), changes)
	if err != nil {
		return "", fmt.Errorf("import probe: %w", err)
	}
	return id, nil
}

// removeProbeImage removes what sidecarImage made.
func (e *Engine) removeProbeImage(ctx context.Context) error {
	e.sidecars.mu.Lock()
	defer e.sidecars.mu.Unlock()
	if e.sidecars.id == "" {
		return nil
	}
	return e.api.removeImage(ctx, e.sidecars.id)
}

// probeTar packs the probe as engines take files.
func probeTar(binary func(goarch string) ([]byte, error), goarch string) ([]byte, error) {
	content, err := binary(goarch)
	if err != nil {
		return nil, &Error{Kind: KindProbe, Err: err, Text: fmt.Sprintf("no probe for linux/%s: %v", goarch, err)}
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	header := &tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	return buf.Bytes(), w.Close()
}
