package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func layerOf(content []byte) Layer {
	sum := sha256.Sum256(content)
	return Layer{
		DiffID: "sha256:" + hex.EncodeToString(sum[:]),
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

func openCache(t *testing.T, dir string) *Cache {
	t.Helper()
	c, err := Open(dir, isRoot, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, c *Cache, l Layer) *Held {
	t.Helper()
	h, err := c.Get(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestGetUnpacksOnce(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	l := layerOf(pack(t, file("f", "x")))
	opened := atomic.Int32{}
	inner := l.Open
	l.Open = func() (io.ReadCloser, error) { opened.Add(1); return inner() }
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			h, err := openCache(t, dir).Get(t.Context(), l)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Release()
			if got, err := os.ReadFile(filepath.Join(h.Dir, "f")); err != nil || string(got) != "x" {
				t.Errorf("content %q, %v", got, err)
			}
		})
	}
	wait.Wait()
	if opened.Load() != 1 {
		t.Errorf("unpacked %d times", opened.Load())
	}
}

func TestGetRefuses(t *testing.T) {
	t.Parallel()
	good := layerOf(pack(t, file("f", "x")))
	other := layerOf(pack(t, file("f", "y")))
	cut := func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("no tar at all" + strings.Repeat("!", 600))), nil
	}
	broken := errors.New("broken")
	for name, l := range map[string]Layer{
		"another content": {good.DiffID, other.Open},
		"no digest":       {"", good.Open},
		"a path":          {"sha256:../../../etc", good.Open},
		"garbage":         {good.DiffID, cut},
		"no stream":       {good.DiffID, func() (io.ReadCloser, error) { return nil, broken }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openCache(t, tempDir(t))
			if _, err := c.Get(t.Context(), l); err == nil {
				t.Fatal("no error")
			}
			left, err := filepath.Glob(filepath.Join(c.Dir(), "new-*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
			all, err := List([]*Cache{c})
			if err != nil || len(all) > 0 {
				t.Errorf("in the cache: %+v, %v", all, err)
			}
		})
	}
}

func TestGetCancelled(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = to.Write(make([]byte, 100)) // an entry that never ends
		cancel()
	}()
	_, err := c.Get(ctx, Layer{layerOf(nil).DiffID, func() (io.ReadCloser, error) { return from, nil }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	var ids []string
	var held []*Held
	for _, name := range []string{"a", "b", "c"} {
		l := layerOf(pack(t, dir("d", 0o500), file("d/"+name, strings.Repeat("x", 1000))))
		ids = append(ids, l.DiffID)
		held = append(held, get(t, c, l))
	}
	if removed, err := Prune([]*Cache{c}, Nothing); err != nil || len(removed) > 0 {
		t.Fatalf("removed %+v in use, %v", removed, err)
	}
	for _, h := range held {
		h.Release()
	}
	// Its use makes the first one the latest.
	get(t, c, Layer{DiffID: ids[0]}).Release()
	removed, err := Prune([]*Cache{c}, Keep{Bytes: 1500})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range removed {
		got = append(got, e.DiffID)
	}
	if diff := cmp.Diff(ids[1:], got); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	all, err := List([]*Cache{c})
	if err != nil || len(all) != 1 || all[0].DiffID != ids[0] || all[0].Bytes != 1000 || all[0].InUse {
		t.Errorf("left %+v, %v", all, err)
	}
}

// A layer whose description was cut off, as by a machine that went down, is
// unpacked again when it is wanted, and removed when it is not.
func TestBrokenLayer(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	l := layerOf(pack(t, file("f", "x")))
	cut := func() {
		get(t, c, l).Release()
		if err := os.Truncate(filepath.Join(c.path(l.DiffID), infoName), 3); err != nil {
			t.Fatal(err)
		}
	}
	cut()
	h := get(t, c, l)
	if got, err := os.ReadFile(filepath.Join(h.Dir, "f")); err != nil || string(got) != "x" {
		t.Errorf("content %q, %v", got, err)
	}
	h.Release()
	cut()
	if removed, err := Prune([]*Cache{c}, Keep{Bytes: 1 << 40}); err != nil || len(removed) != 1 {
		t.Errorf("removed %+v, %v", removed, err)
	}
}

// Age and size bound the cache together; layers of no size count by age.
func TestPruneKeeps(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	now := time.Now()
	for i, content := range []string{"", "aa", "bbb"} {
		l := layerOf(pack(t, file("f", content)))
		get(t, c, l).Release()
		used := now.Add(time.Duration(i-3) * time.Hour)
		if err := os.Chtimes(filepath.Join(c.path(l.DiffID), infoName), used, used); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		keep Keep
		want []int64 // the sizes of what is left
	}{
		{Keep{Bytes: 5}, []int64{0, 2, 3}},
		{Keep{Bytes: 5, Since: now.Add(-150 * time.Minute)}, []int64{2, 3}},
		{Keep{Bytes: 4, Since: now.Add(-150 * time.Minute)}, []int64{3}},
		{Nothing, nil},
	} {
		if _, err := Prune([]*Cache{c}, tt.keep); err != nil {
			t.Fatal(err)
		}
		all, err := List([]*Cache{c})
		var got []int64
		for _, e := range all {
			got = append(got, e.Bytes)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%+v: %v, -want +got:\n%s", tt.keep, err, diff)
		}
	}
}

// What a killed process was unpacking is removed, what a living one is, not.
func TestPruneSweeps(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	dead, alive := filepath.Join(c.Dir(), "new-DEAD"), filepath.Join(c.Dir(), "new-ALIVE")
	for _, dir := range []string{dead, alive} {
		if err := os.MkdirAll(filepath.Join(dir, "root"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "root", "f"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "root"), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	l, err := c.try("new-ALIVE", true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if _, err := Prune([]*Cache{c}, Nothing); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dead: %v", err)
	}
	if _, err := os.Stat(alive); err != nil {
		t.Errorf("alive: %v", err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	c := openCache(t, tempDir(t))
	lower := get(t, c, layerOf(pack(t, dir("d", 0o750), file("d/gone", "1"), file("d/stays", "2"), dir("e", 0o755), file("e/hidden", "3"),
		file("f", "4"), link(tar.TypeLink, "g", "f"), link(tar.TypeSymlink, "s", "/d/stays"))))
	upper := get(t, c, layerOf(pack(t, file("d/.wh.gone", ""), file("e/.wh..wh..opq", ""), file("e/new", "5"), file(".wh.g", ""), dir("s", 0o1777))))
	defer lower.Release()
	defer upper.Release()
	held := []*Held{upper, lower}
	got, err := c.Merge(t.Context(), held)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/d drwxr-xr-x", "/d/stays -rw-r--r-- 2", "/e drwxr-xr-x", "/e/new -rw-r--r-- 5", "/f -rw-r--r-- 4", "/s dtrwxrwxrwx"}
	if diff := cmp.Diff(want, listing(t, got.Dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, want := range map[string]string{"/d/stays": "2", "/d/gone": "", "/e/hidden": "", "/e/new": "5", "/f": "4"} {
		content, err := ReadFile(held, name, 100)
		if string(content) != want || (err == nil) != (want != "") {
			t.Errorf("read %s: %q, %v", name, content, err)
		}
	}
	if err := got.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(got.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}
