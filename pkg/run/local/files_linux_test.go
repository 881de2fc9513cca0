package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// layered is an image of which each layer changes the one below.
func layered(t *testing.T, r *Runner, all ...[]node) *Image {
	t.Helper()
	var from []layers.Layer
	for _, nodes := range all {
		from = append(from, layerOf(pack(t, nodes)))
	}
	im, err := r.Open(t.Context(), facts.Image{Ref: "test"}, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := im.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return im
}

// TestFiles sees what overlayfs would show.
func TestFiles(t *testing.T) {
	t.Parallel()
	lower := []node{
		{name: "etc/", mode: 0o755}, {name: "etc/gone", content: "1", mode: 0o644}, {name: "etc/kept", content: "2", mode: 0o640, uid: 33},
		{name: "old/", mode: 0o755}, {name: "old/hidden", content: "3", mode: 0o644},
		{name: "swap", content: "4", mode: 0o644}, {name: "bin", kind: '2', link: "usr/bin", mode: 0o777},
		{name: "usr/bin/tool", content: "#!/bin/sh\n", mode: 0o755},
	}
	upper := []node{
		{name: "etc/.wh.gone"}, {name: "old/.wh..wh..opq"}, {name: "old/new", content: "5", mode: 0o600},
		{name: "swap/", mode: 0o700}, {name: "swap/inner", content: "6", mode: 0o644},
		{name: "up", kind: '2', link: "../../../../etc/kept", mode: 0o777}, {name: "abs", kind: '2', link: "/etc/../etc/kept", mode: 0o777},
		{name: "loop", kind: '2', link: "loop", mode: 0o777}, {name: "out", kind: '2', link: "/proc/1/root/etc/hostname", mode: 0o777},
	}
	each(t, func(t *testing.T, r *Runner) {
		files := layered(t, r, lower, upper).Files()
		for name, want := range map[string]string{
			"etc/kept": "2", "old/new": "5", "swap/inner": "6", "bin/tool": "#!/bin/sh\n", "up": "2", "abs": "2",
		} {
			if got, err := fs.ReadFile(files, name); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v; want %q", name, got, err, want)
			}
		}
		for _, name := range []string{"etc/gone", "old/hidden", "out", "etc/kept/below", "nope/below", "swap/nope"} {
			if _, err := fs.Stat(files, name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want that it is not there", name, err)
			}
		}
		if _, err := fs.Stat(files, "loop"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a link to itself: %v", err)
		}
		info, err := fs.Stat(files, "etc/kept")
		if err != nil {
			t.Fatal(err)
		}
		if uid, gid := info.(interface{ Owner() (int, int) }).Owner(); uid != 33 || gid != 33 || info.Mode() != 0o640 {
			t.Errorf("etc/kept has the owner %d:%d and mode %s", uid, gid, info.Mode())
		}
		if got, err := fs.ReadLink(files, "bin"); got != "usr/bin" || err != nil {
			t.Errorf("bin leads to %q, %v", got, err)
		}
		var names []string
		for _, dir := range []string{".", "old", "etc"} {
			entries, err := fs.ReadDir(files, dir)
			if err != nil {
				t.Error(err)
			}
			for _, e := range entries {
				names = append(names, fmt.Sprintf("%s/%s %s", dir, e.Name(), e.Type()))
			}
		}
		want := []string{
			"./abs L---------", "./bin L---------", "./etc d---------", "./loop L---------", "./old d---------", "./out L---------",
			"./swap d---------", "./up L---------", "./usr d---------", "old/new ----------", "etc/kept ----------",
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestFilesAreAFileSystem holds them against what Go asks of one.
func TestFilesAreAFileSystem(t *testing.T) {
	t.Parallel()
	im := layered(t, newRunner(t, func(*Options) {}), []node{{name: "a/", mode: 0o755}, {name: "a/b", content: "x", mode: 0o644}}, []node{{name: "a/c", content: "y", mode: 0o644}})
	if err := fstest.TestFS(im.Files(), "a/b", "a/c"); err != nil {
		t.Error(err)
	}
}

// TestAdopt runs from layers that an engine unpacked, and says when the engine
// removed them meanwhile.
func TestAdopt(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(*Options) {})
	if _, err := r.Adopt(facts.Image{}, nil); !errors.Is(err, ErrNotCached) {
		t.Errorf("no layers: %v", err)
	}
	if _, err := r.Adopt(facts.Image{}, []string{"/nonexistent/layer"}); !errors.Is(err, ErrNotCached) {
		t.Errorf("a layer that is not there: %v", err)
	}
	dirs := []string{t.TempDir(), t.TempDir()}
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirs[1], "app"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	im, err := r.Adopt(facts.Image{Ref: "adopted"}, dirs)
	if errors.Is(err, ErrNotCached) {
		t.Skip("this user or kernel cannot")
	}
	if err != nil {
		t.Fatal(err)
	}
	if seen := observe(t, im, nil, "/app", "serve", ":8000"); seen.Stopped != facts.StopAnswered {
		t.Errorf("stopped %q with %+v", seen.Stopped, seen.Exit)
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 1 {
			t.Errorf("written to the engine's layer: %v, %v", entries, err)
		}
	}
	if err := os.RemoveAll(dirs[0]); err != nil {
		t.Fatal(err)
	}
	_, err = im.Observe(t.Context(), runSpec("/app", "serve", ":8000"), nil)
	if err == nil || !strings.Contains(err.Error(), "the engine does not have the layer") {
		t.Errorf("a removed layer: %v", err)
	}
}
