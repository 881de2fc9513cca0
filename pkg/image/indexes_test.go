package image

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// wholeOf is everything that a lint could ask of the picture.
func wholeOf(t *testing.T, img *Image) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(img.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := []byte(nil)
		if d.Type().IsRegular() {
			content, err = fs.ReadFile(img.Files(), name)
		}
		all = append(all, name+" "+info.Mode().String()+" "+info.ModTime().UTC().String()+" "+string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(img.Files(), "bin/sh"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("bin/sh was removed in the top layer: %v", err)
	}
	return all
}

// genuine is the picture with the right names of its layers: go-containerregistry's
// static layers have others.
func genuine(t *testing.T) v1.Image {
	t.Helper()
	img := picture(t, "amd64")
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range layers {
		tar, err := blob{open: l.Compressed}.unpacked()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tar)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, digestOf(text))
	}
	return withDiffIDs(t, ids...)
}

func withDiffIDs(t *testing.T, ids ...string) v1.Image {
	t.Helper()
	img := picture(t, "amd64")
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	for i, id := range ids {
		if config.RootFS.DiffIDs[i], err = v1.NewHash(id); err != nil {
			t.Fatal(err)
		}
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// look opens an image, asks everything, and tells how many bytes the files took.
func look(t *testing.T, ref string, x Indexes) (seen []string, bytes int64) {
	t.Helper()
	img := open1(t, ref, Options{Indexes: x})
	before := img.Cost().Bytes
	seen = wholeOf(t, img)
	if err := img.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return seen, img.Cost().Bytes - before
}

func TestIndexesSpareLayers(t *testing.T) {
	t.Parallel()
	addr := serve(t, "}")
	ref := addr + "/app:1"
	push(t, ref, genuine(t))
	x := Indexes{Dir: filepath.Join(t.TempDir(), "index")}
	want, first := look(t, ref, Indexes{})
	got, again := look(t, ref, x)
	if diff := cmp.Diff(want, got); diff != "" || first == 0 || again != first {
		t.Errorf("with an empty cache %d bytes, %d without; (-without +with):\n%s", again, first, diff)
	}
	got, again = look(t, ref, x)
	if diff := cmp.Diff(want, got); diff != "" || again != 0 {
		t.Errorf("the second time %d bytes of layers were read; (-first +second):\n%s", again, diff)
	}
	if size, err := x.Size(); err != nil || size.Count != 2 || size.Bytes == 0 {
		t.Errorf("kept %+v, %v", size, err)
	}
	// Another repository's writers are others.
	push(t, addr+"/other:1", genuine(t))
	if _, bytes := look(t, addr+"/other:1", x); bytes != first {
		t.Errorf("of another repository %d bytes were read, not %d", bytes, first)
	}
}

// TestIndexesOfLayersReadInPart: what was not read to the end is not kept.
func TestIndexesOfLayersReadInPart(t *testing.T) {
	t.Parallel()
	ref := serve(t, "}") + "/app:1"
	push(t, ref, genuine(t))
	x := Indexes{Dir: t.TempDir()}
	img := open1(t, ref, Options{Indexes: x})
	if _, err := fs.Stat(img.Files(), "srv"); err != nil {
		t.Fatal(err)
	}
	if err := img.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if size, err := x.Size(); err != nil || size.Count != 0 {
		t.Errorf("kept %+v, %v", size, err)
	}
}

// TestIndexesOfLiars: a config that gives its layers the names of others does
// not put their contents into the cache.
func TestIndexesOfLiars(t *testing.T) {
	t.Parallel()
	ref := serve(t, "}") + "/app:1"
	liar := digestOf([]byte("another layer"))
	push(t, ref, withDiffIDs(t, liar, liar))
	x := Indexes{Dir: t.TempDir()}
	look(t, ref, x)
	if size, err := x.Size(); err != nil || size.Count != 0 {
		t.Errorf("kept %+v, %v", size, err)
	}
}

func TestDamagedIndexesAreIgnored(t *testing.T) {
	t.Parallel()
	ref := serve(t, "}") + "/app:1"
	push(t, ref, genuine(t))
	x := Indexes{Dir: t.TempDir()}
	want, first := look(t, ref, x)
	files, err := x.files()
	if err != nil || len(files) != 2 {
		t.Fatalf("%d indexes, %v", len(files), err)
	}
	good := map[string][]byte{}
	for _, f := range files {
		if good[f.Name()], err = os.ReadFile(filepath.Join(x.Dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(i int, text []byte) []byte{
		"empty":          func(int, []byte) []byte { return nil },
		"cut off":        func(_ int, text []byte) []byte { return text[:len(text)/2] },
		"garbage":        func(int, []byte) []byte { return []byte("{\"Version\":1}") },
		"another's":      func(i int, _ []byte) []byte { return good[files[1-i].Name()] },
		"a flipped byte": func(_ int, text []byte) []byte { text = append([]byte(nil), text...); text[5] ^= 0xff; return text },
	} {
		for i, f := range files {
			write(t, filepath.Join(x.Dir, f.Name()), string(damage(i, good[f.Name()])))
		}
		got, bytes := look(t, ref, x)
		if diff := cmp.Diff(want, got); diff != "" || bytes != first {
			t.Errorf("%s: %d bytes read, not %d; (-want +got):\n%s", name, bytes, first, diff)
		}
	}
	if _, bytes := look(t, ref, x); bytes != 0 {
		t.Errorf("the last look did not mend the cache: %d bytes read", bytes)
	}
}

func TestIndexEntriesAreHeldAgainstLayers(t *testing.T) {
	t.Parallel()
	good := index{Version: indexVersion, Repository: "r", DiffID: "d", Entries: []indexEntry{{Path: "etc/passwd", Type: '0', Size: 1, Content: []byte("x")}}}
	if !good.isOf("r", "d") || good.isOf("r", "e") || good.isOf("s", "d") {
		t.Error("an index is not told from another layer's")
	}
	for name, e := range map[string]indexEntry{
		"out of the root":        {Path: "../etc/passwd"},
		"absolute":               {Path: "/etc/passwd"},
		"negative":               {Path: "a", Size: -1},
		"before the first":       {Path: "a", Ordinal: -1},
		"more than its own size": {Path: "a", Size: 1, Content: []byte("xx")},
	} {
		bad := good
		bad.Entries = []indexEntry{e}
		if bad.isOf("r", "d") {
			t.Errorf("%s: taken for an index", name)
		}
	}
}

// TestIndexesOfOddNames: a name that JSON would change is not kept at all.
func TestIndexesOfOddNames(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]index{
		"path": {Entries: []indexEntry{{Path: "a\xff"}}}, "link": {Entries: []indexEntry{{Path: "a", Link: "\xff"}}},
		"whiteout": {Hidden: []string{"\xff"}}, "directory": {Opaque: []string{"\xff"}},
	} {
		if l.isText() {
			t.Errorf("%s: taken for text", name)
		}
	}
	if !(index{Entries: []indexEntry{{Path: "ä", Link: "/ö"}}, Hidden: []string{"b"}}).isText() {
		t.Error("text is not taken for it")
	}
}

func TestIndexesAtOnce(t *testing.T) {
	t.Parallel()
	ref := serve(t, "}") + "/app:1"
	push(t, ref, genuine(t))
	x := Indexes{Dir: t.TempDir()}
	want, _ := look(t, ref, Indexes{})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			img, err := Registry(t.Context(), ref, Options{Indexes: x})
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = fs.ReadDir(img.Files(), "etc")
			if err := img.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got, bytes := look(t, ref, x); bytes != 0 || cmp.Diff(want, got) != "" {
		t.Errorf("%d bytes read after eight at once: %s", bytes, cmp.Diff(want, got))
	}
	if left, err := filepath.Glob(filepath.Join(x.Dir, indexTemp+"*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

func TestIndexesPrune(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ages := map[string]time.Duration{"a.index": 3 * time.Hour, "b.index": 2 * time.Hour, "c.index": 0, "new-1": 2 * time.Hour, "new-2": 0, "other": 9 * time.Hour}
	for _, test := range []struct {
		name string
		keep KeepIndexes
		left []string
	}{
		{"all that fits", KeepIndexes{Bytes: 1000}, []string{"a.index", "b.index", "c.index", "new-2", "other"}},
		{"the last used", KeepIndexes{Bytes: 20}, []string{"c.index", "new-2", "other"}},
		{"the young", KeepIndexes{Bytes: 1000, Since: now.Add(-150 * time.Minute)}, []string{"b.index", "c.index", "new-2", "other"}},
		{"nothing", KeepIndexes{}, []string{"new-2", "other"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, age := range ages {
				write(t, filepath.Join(dir, name), strings.Repeat("x", 10))
				if err := os.Chtimes(filepath.Join(dir, name), now.Add(-age), now.Add(-age)); err != nil {
					t.Fatal(err)
				}
			}
			removed, err := Indexes{Dir: dir}.Prune(test.keep)
			entries, listed := os.ReadDir(dir)
			if err != nil || listed != nil {
				t.Fatal(err, listed)
			}
			var left []string
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if diff := cmp.Diff(test.left, left); diff != "" || removed.Count != len(ages)-len(left) {
				t.Errorf("removed %+v, left (-want +got):\n%s", removed, diff)
			}
		})
	}
}
