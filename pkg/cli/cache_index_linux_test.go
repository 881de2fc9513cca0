package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/imglint/imglint/pkg/facts"
)

// scriptImage is an image of one layer with a start script.
func scriptImage(t *testing.T) v1.Image {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for name, text := range map[string]string{"start.sh": "#!/bin/sh\nexec nginx -g 'daemon off;'\n", "bin/sh": "\x7fELF"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	packed, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(configured(t, v1.Config{Cmd: []string{"/start.sh"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}}), packed)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestCacheOfRegistry: an image that was read before costs its manifest and
// config, says the same, and what is kept of it can be seen and removed.
func TestCacheOfRegistry(t *testing.T) {
	t.Parallel()
	ref, dir := registryHost(t)+"/app:1", t.TempDir()
	pushed(t, ref, scriptImage(t))
	type document struct {
		Images []struct {
			Read     facts.Cost
			Findings json.RawMessage
		}
	}
	var read [2]document
	for i := range read {
		_, out := cached(t, dir, "--host", noEngine, "--static", "--format", "json", ref)
		if err := json.Unmarshal([]byte(out), &read[i]); err != nil || len(read[i].Images) != 1 {
			t.Fatalf("%v: %s", err, out)
		}
	}
	first, second := read[0].Images[0], read[1].Images[0]
	if first.Read.Requests != second.Read.Requests+1 || first.Read.Bytes <= second.Read.Bytes || string(first.Findings) != string(second.Findings) {
		t.Errorf("first %+v %s\nsecond %+v %s", first.Read, first.Findings, second.Read, second.Findings)
	}
	for _, tt := range []struct{ args, want string }{
		{"cache", "1 layer of a registry's image, "}, {"cache prune", ""}, {"cache", " of at most 256MiB, in " + dir + "/imglint/index\n"},
		{"cache prune --older-than 1d", "removed 0 layers, 0B\n"}, {"cache prune --all", "removed 1 layer of a registry's image, "},
		{"cache", "0 layers, 0B of at most 2GiB, in " + dir + "/imglint/layers\n"},
	} {
		if status, out := cached(t, dir, strings.Fields(tt.args)...); status != ExitClean || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %d %q, want %q", tt.args, status, out, tt.want)
		}
	}
}
