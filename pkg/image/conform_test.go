package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/engine"
)

// opened is what the suite needs of an image.
type opened interface {
	Facts() facts.Image
	Files() fs.FS
	Close(context.Context) error
}

// specimenLayers hold what layers can do, the lowest first. What engines
// disagree on is left to tests of its own.
var specimenLayers = [][]string{
	{"bin->usr/bin", "usr/", "usr/bin/", "usr/bin/sh->dash", "usr/bin/dash=#!DASH", "etc/", "etc/passwd=old", "etc/group=group", "gone/", "gone/deep/", "gone/deep/x=1",
		"opaque/", "opaque/low=1", "file-then-dir=1", "dir-then-file/", "dir-then-file/x=1", "loop->loop", "up->../../../etc/passwd", "far->/usr/../bin/./sh", "l1->l2", "l2->/l3", "l3->etc"},
	{"etc/", "etc/passwd=new", ".wh.gone", "opaque/", "opaque/.wh..wh..opq", "opaque/high=2", ".wh.file-then-dir", "file-then-dir/", "file-then-dir/y=2", ".wh.dir-then-file", "dir-then-file=2"},
	{"same=SAME", "hard=>same", "usr/", "usr/bin/", "usr/bin/new=NEW", "dangling->nowhere", "odd-mode=x", "srv/", "srv/empty="},
}

// specimen is one image for every source; zstd is left out where an engine of
// before 23.0 has to load it.
func specimen(t testing.TB, withZstd bool) v1.Image {
	t.Helper()
	img := empty.Image
	var all []mutate.Addendum
	for i, entries := range specimenLayers {
		data := tarOf(t, entries...)
		layer := static.NewLayer(gzipped(t, data), types.OCILayer)
		if i == 1 && withZstd {
			layer = static.NewLayer(zstandard(t, data), types.OCILayerZStd)
		}
		all = append(all, mutate.Addendum{Layer: digested{layer, data}, History: v1.History{CreatedBy: fmt.Sprintf("COPY %d / # buildkit", i)}})
	}
	img, err := mutate.Append(img, all...)
	if err != nil {
		t.Fatal(err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	file.Config = v1.Config{Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", "x"}, Env: []string{"PATH=/bin"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}}
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

// digested is a static layer that knows what it holds: static's own DiffID is
// that of its compressed bytes.
type digested struct {
	v1.Layer
	tar []byte
}

func (d digested) DiffID() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(d.tar))
	return h, err
}

func (d digested) Uncompressed() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(d.tar)), nil
}

// sources are all ways to an image.
var sources = map[string]func(*testing.T) opened{
	"registry": func(t *testing.T) opened {
		server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(server.Close)
		ref := strings.TrimPrefix(server.URL, "http://") + "/app:1"
		parsed, err := name.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(parsed, specimen(t, true)); err != nil {
			t.Fatal(err)
		}
		img, err := Registry(t.Context(), ref, Options{})
		return must(t, img, err)
	},
	"layout":      func(t *testing.T) opened { return local(t, writeLayout(t, specimen(t, true))) },
	"OCI archive": func(t *testing.T) opened { return local(t, onDisk(t, tarDir(t, writeLayout(t, specimen(t, true))))) },
	"OCI archive gzip": func(t *testing.T) opened {
		return local(t, onDisk(t, gzipped(t, tarDir(t, writeLayout(t, specimen(t, true))))))
	},
	"OCI archive zstd": func(t *testing.T) opened {
		return local(t, onDisk(t, zstandard(t, tarDir(t, writeLayout(t, specimen(t, true))))))
	},
	"docker archive": func(t *testing.T) opened { return local(t, onDisk(t, oldSave(t, specimen(t, false)))) },
	"docker archive since 25": func(t *testing.T) opened {
		dir := writeLayout(t, specimen(t, true))
		addManifest(t, dir)
		return local(t, onDisk(t, tarDir(t, dir)))
	},
	"docker archive since 25 without its index": func(t *testing.T) opened {
		dir := writeLayout(t, specimen(t, true))
		addManifest(t, dir)
		if err := os.Remove(filepath.Join(dir, "index.json")); err != nil {
			t.Fatal(err)
		}
		return local(t, onDisk(t, tarDir(t, dir)))
	},
	"stdin": func(t *testing.T) opened {
		img, err := Stream(t.Context(), bytes.NewReader(gzipped(t, oldSave(t, specimen(t, true)))), Options{})
		return must(t, img, err)
	},
	"tarball of go-containerregistry": func(t *testing.T) opened {
		var b bytes.Buffer
		if err := tarball.Write(name.MustParseReference("app:1"), specimen(t, true), &b); err != nil {
			t.Fatal(err)
		}
		return local(t, onDisk(t, b.Bytes()))
	},
	"engine": fromEngine,
}

// fromEngine loads the image into the engine, if one answers.
func fromEngine(t *testing.T) opened {
	e, err := engine.Connect(t.Context(), engine.Options{Static: true})
	if err != nil {
		t.Skipf("no engine to test with: %v", err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) }) // only read from
	ref := fmt.Sprintf("imglint-test/conform:%d", os.Getpid())
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tarball.Write(parsed, specimen(t, false), &b); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	load := exec.CommandContext(ctx, "docker", "load", "-q")
	load.Stdin = &b
	if out, err := load.CombinedOutput(); err != nil {
		t.Skipf("docker load: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.CommandContext(ctx, "docker", "rmi", ref).Run() }) // it is ours and small
	img, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func must(t *testing.T, img *Image, err error) *Image {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func local(t *testing.T, path string) opened {
	t.Helper()
	img, err := Local(t.Context(), path, Options{})
	return must(t, img, err)
}

func onDisk(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "any-name")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeLayout(t testing.TB, img v1.Image) string {
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

// tarDir packs a directory as buildx and docker save do: files at the root.
func tarDir(t testing.TB, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// addManifest adds docker's own manifest.json to a layout, as engine 25 does.
func addManifest(t testing.TB, dir string) {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	saved := savedImage{Config: blobName(m.Config.Digest), RepoTags: []string{"app:1"}}
	for _, l := range m.Layers {
		saved.Layers = append(saved.Layers, blobName(l.Digest))
	}
	data, err := json.Marshal([]savedImage{saved})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// oldSave writes what docker save wrote before engine 25: a directory for each
// layer, a link where two layers are the same, the manifest at the end.
func oldSave(t testing.TB, img v1.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(h tar.Header, data []byte) {
		h.Mode, h.Size = 0o644, int64(len(data))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	saved := savedImage{Config: "0123.json", RepoTags: []string{"app:1"}}
	for i, l := range layers {
		dir := fmt.Sprintf("layer%d", i)
		put(tar.Header{Name: dir + "/", Typeflag: tar.TypeDir}, nil)
		if i == 1 {
			// the bytes stand elsewhere
			put(tar.Header{Name: "first/layer.tar", Typeflag: tar.TypeReg}, plainOf(t, l))
			put(tar.Header{Name: dir + "/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../first/layer.tar"}, nil)
		} else {
			put(tar.Header{Name: dir + "/layer.tar", Typeflag: tar.TypeReg}, plainOf(t, l))
		}
		saved.Layers = append(saved.Layers, dir+"/layer.tar")
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	put(tar.Header{Name: saved.Config, Typeflag: tar.TypeReg}, config)
	manifest, err := json.Marshal([]savedImage{saved})
	if err != nil {
		t.Fatal(err)
	}
	put(tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg}, manifest)
	put(tar.Header{Name: "repositories", Typeflag: tar.TypeReg}, []byte("{}"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plainOf(t testing.TB, l v1.Layer) []byte {
	t.Helper()
	r, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSourcesConform reads one image through every source.
func TestSourcesConform(t *testing.T) {
	t.Parallel()
	for name, open := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := open(t)
			defer func() {
				if err := img.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			conformFacts(t, img.Facts())
			conformFiles(t, img.Files())
		})
	}
}

func conformFacts(t *testing.T, got facts.Image) {
	want := facts.Config{Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", "x"}, Env: []string{"PATH=/bin"}, Exposed: []facts.Port{{Number: 80, Protocol: "tcp"}}}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(got.ID, "sha256:") || got.Platform() != "linux/amd64" || got.Source == "" || got.Ref == "" || len(got.History) != 3 || got.History[2].CreatedBy != "COPY 2 / # buildkit" {
		t.Errorf("facts: %+v", got)
	}
}

func conformFiles(t *testing.T, f fs.FS) {
	for name, want := range map[string]string{
		"bin/sh": "#!DASH", "usr/bin/dash": "#!DASH", "etc/passwd": "new", "etc/group": "group", "up": "new", "far": "#!DASH", "opaque/high": "2",
		"file-then-dir/y": "2", "dir-then-file": "2", "hard": "SAME", "same": "SAME", "bin/new": "NEW", "l1/group": "group", "srv/empty": "",
	} {
		got, err := fs.ReadFile(f, name)
		if err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"gone/deep", "gone/deep/x", "gone", "opaque/low", "dir-then-file/x", "nothing", "etc/nothing", "dangling", ".wh.gone", "opaque/.wh..wh..opq"} {
		if _, err := fs.Stat(f, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v, want it not to exist", name, err)
		}
	}
	if _, err := fs.Stat(f, "loop"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat loop: %v, want a loop", err)
	}
	if link, err := fs.ReadLink(f, "bin"); err != nil || link != "usr/bin" {
		t.Errorf("readlink bin = %q, %v", link, err)
	}
	if i, err := fs.Stat(f, "odd-mode"); err != nil || i.Mode() != 0o755|fs.ModeSetuid {
		t.Errorf("odd-mode: %v, %v", i, err)
	}
	if i, err := fs.Stat(f, "bin/sh"); err != nil || i.Mode() != 0o755 || i.Size() != 6 {
		t.Errorf("bin/sh: %v, %v", i, err)
	}
	entries, err := fs.ReadDir(f, "opaque")
	if err != nil || len(entries) != 1 || entries[0].Name() != "high" {
		t.Errorf("opaque has %v, %v", entries, err)
	}
}
