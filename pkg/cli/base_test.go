package cli

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// starter is a base image whose own entrypoint script says where to listen.
func starter(t *testing.T, address string) v1.Image {
	t.Helper()
	img := configured(t, v1.Config{
		Env: []string{"PATH=/usr/bin:/bin"}, Entrypoint: []string{"/start.sh"},
		ExposedPorts: map[string]struct{}{"8000/tcp": {}},
	})
	return filled(t, img, map[string]string{
		"bin/sh": "\x7fELF", "usr/bin/gunicorn": "#!/bin/sh\n",
		"start.sh": "#!/bin/sh\nexec gunicorn --bind " + address + ":8000 shop:app\n",
	})
}

// filled adds a layer of executable files.
func filled(t *testing.T, img v1.Image, files map[string]string) v1.Image {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		t.Fatal(err)
	}
	return img
}

// written puts files into a new directory.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// laidOut writes an image to an OCI layout.
func laidOut(t *testing.T, img v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	p, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = p.AppendImage(img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBaseFiles reads a base image's own script from the registry.
func TestBaseFiles(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	for address, fires := range map[string]bool{"127.0.0.1": true, "0.0.0.0": false} {
		pushed(t, host+"/start:"+address, starter(t, address))
		dir := written(t, map[string]string{"Dockerfile": "FROM " + host + "/start:" + address + "\nCOPY Dockerfile /x\n"})
		_, out, errs := call(t, nil, "-v", "--host", noEngine, dir)
		if strings.Contains(out, "[loopback-bind]") != fires || strings.Contains(out, "[command-not-found]") || errs != "" {
			t.Errorf("%s: %s\n%s", address, errs, out)
		}
		if !strings.Contains(out, " requests") {
			t.Errorf("%s: what reading took is not said\n%s", address, out)
		}
	}
}
