package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/imglint/imglint/pkg/facts"
)

// entries of a layer: "dir/", "file=content", "link->target", "hard=>target".
func tarOf(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e, Mode: 0o644, Typeflag: tar.TypeReg, Uid: 7, Gid: 8}
		var content string
		if name, target, ok := strings.Cut(e, "->"); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		} else if name, target, ok := strings.Cut(e, "=>"); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeLink
		} else if name, text, ok := strings.Cut(e, "="); ok {
			h.Name, content = name, text
			if strings.Contains(name, "bin/") {
				h.Mode = 0o755
			}
			if name == "odd-mode" {
				h.Mode = 0o4755
			}
		} else if strings.HasSuffix(e, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// stored is a layer in memory that counts how often it is opened and how much
// of it is read.
type stored struct {
	data   []byte
	opened int
	read   int64
	// breaks makes the first stream fail after so many bytes; 0: never.
	breaks int64
}

func (s *stored) blob(name string) blob {
	return blob{digest: name, open: func() (io.ReadCloser, error) {
		s.opened++
		r := io.Reader(bytes.NewReader(s.data))
		if s.breaks > 0 && s.opened == 1 {
			r = io.MultiReader(io.LimitReader(r, s.breaks), brokenReader{})
		}
		return io.NopCloser(&counter{r, &s.read}), nil
	}}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

type counter struct {
	r io.Reader
	n *int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// view merges layers given from the lowest up.
func view(layers ...*stored) *files {
	var blobs []blob
	for i, s := range layers {
		blobs = append(blobs, s.blob(fmt.Sprintf("sha256:%d", i)))
	}
	return newFiles(blobs, DefaultMaxLayerBytes)
}

func layersOf(t testing.TB, layers ...[]string) *files {
	t.Helper()
	var all []*stored
	for i, l := range layers {
		data := tarOf(t, l...)
		switch i % 3 {
		case 0:
			data = gzipped(t, data)
		case 1:
			data = zstandard(t, data)
		}
		all = append(all, &stored{data: data})
	}
	return view(all...)
}

func TestMergedView(t *testing.T) {
	t.Parallel()
	f := layersOf(t,
		[]string{"bin->usr/bin", "usr/", "usr/bin/", "usr/bin/sh->dash", "usr/bin/dash=DASH", "etc/", "etc/passwd=old", "etc/group=group", "gone/", "gone/deep/", "gone/deep/x=1",
			"opaque/", "opaque/low=1", "file-then-dir=1", "dir-then-file/", "dir-then-file/x=1", "loop->loop", "up->../../../etc/passwd", "far->/usr/../bin/./sh", "l1->l2", "l2->/l3", "l3->etc"},
		[]string{"etc/", "etc/passwd=new", ".wh.gone", "opaque/", "opaque/.wh..wh..opq", "opaque/high=2", ".wh.file-then-dir", "file-then-dir/", "file-then-dir/y=2", "dir-then-file=2", ".wh..wh.plnk"},
		[]string{"/abs/file=abs", "./dot/file=dot", "../../escape=in", "hard=>etc/passwd", "same=SAME", "hard2=>./same", "gone/", "gone/back=3", "dangling->nowhere", "hardloop=>hardloop", "usr/bin/new=NEW"},
	)
	content := map[string]string{
		"bin/sh": "DASH", "usr/bin/dash": "DASH", "etc/passwd": "new", "etc/group": "group", "up": "new", "far": "DASH", "opaque/high": "2", "file-then-dir/y": "2", "dir-then-file": "2",
		"abs/file": "abs", "dot/file": "dot", "escape": "in", "hard": "new", "hard2": "SAME", "gone/back": "3", "bin/new": "NEW", "l1/group": "group",
	}
	for name, want := range content {
		got, err := fs.ReadFile(f, name)
		if err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"gone/deep", "gone/deep/x", "opaque/low", "dir-then-file/x", "nothing", "etc/nothing", "etc/passwd/x", "dangling", ".wh.gone", "opaque/.wh..wh..opq", ".wh..wh.plnk"} {
		if _, err := fs.Stat(f, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat %s: %v, want it not to exist", name, err)
		}
	}
	for _, name := range []string{"loop", "hardloop", "loop/x"} {
		if _, err := fs.Stat(f, name); !errors.Is(err, errLinks) {
			t.Errorf("stat %s: %v, want a loop", name, err)
		}
	}
	if link, err := fs.ReadLink(f, "bin"); err != nil || link != "usr/bin" {
		t.Errorf("readlink bin = %q, %v", link, err)
	}
	if i, err := fs.Lstat(f, "bin/sh"); err != nil || i.Mode().Type() != fs.ModeSymlink || i.Name() != "sh" {
		t.Errorf("lstat bin/sh = %v, %v", i, err)
	}
	for _, name := range []string{"/etc", "../etc", "etc/", ""} {
		if _, err := f.Stat(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("stat %q: %v, want it invalid", name, err)
		}
	}
}

func TestReadDirMerges(t *testing.T) {
	t.Parallel()
	f := layersOf(t,
		[]string{"d/", "d/a=1", "d/b=1", "d/c=1", "o/", "o/a=1", "x/", "x/y/z=1"},
		[]string{"d/", "d/.wh.a", "d/b=2", "d/d=2", "o/", "o/.wh..wh..opq", "o/b=2", ".wh.x"},
		[]string{"d/e->b"},
	)
	for dir, want := range map[string]string{".": "d o", "d": "b c d e", "o": "b"} {
		entries, err := fs.ReadDir(f, dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%s has %q, %v; want %q", dir, got, err, want)
		}
	}
}

func TestAsStandardFileSystem(t *testing.T) {
	t.Parallel()
	f := layersOf(t, []string{"etc/", "etc/passwd=x", "usr/", "usr/bin/", "usr/bin/tool=" + strings.Repeat("t", 9000)}, []string{"etc/hosts=y", "bin->usr/bin"})
	if err := fstest.TestFS(f, "etc/passwd", "etc/hosts", "usr/bin/tool"); err != nil {
		t.Error(err)
	}
}

func TestFileInfo(t *testing.T) {
	t.Parallel()
	i, err := layersOf(t, []string{"bin/tool=123"}).Stat("bin/tool")
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := i.(interface{ Owner() (int, int) })
	if !ok || i.Mode() != 0o755 || i.Size() != 3 || i.Name() != "tool" {
		t.Fatalf("%v %v %v", i, i.Mode(), i.Size())
	}
	if uid, gid := owner.Owner(); uid != 7 || gid != 8 {
		t.Errorf("owner %d:%d, want 7:8", uid, gid)
	}
}

// noise makes a layer whose compressed form is about as large as its content.
func noise(name string, size int) string {
	var b strings.Builder
	b.WriteString(name + "=")
	x := uint32(1)
	for range size {
		x = x*1664525 + 1013904223
		b.WriteByte(byte('a' + x>>24%26))
	}
	return b.String()
}

func TestEarlyStop(t *testing.T) {
	t.Parallel()
	lower := &stored{data: gzipped(t, tarOf(t, noise("lib/huge", 4<<20), "etc/passwd=x"))}
	upper := &stored{data: gzipped(t, tarOf(t, "srv/", "srv/ep.sh=#!/bin/sh", noise("srv/data", 4<<20), "srv/last=1"))}
	f := view(lower, upper)
	if _, err := fs.ReadFile(f, "srv/ep.sh"); err != nil {
		t.Fatal(err)
	}
	if lower.read != 0 || upper.read > 1<<20 {
		t.Errorf("read %d and %d bytes of a file at the front of the top layer", lower.read, upper.read)
	}
	if _, err := fs.ReadFile(f, "srv/last"); err != nil || lower.read != 0 || upper.opened != 1 {
		t.Errorf("%v: read %d of the lower layer and opened the upper %d times", err, lower.read, upper.opened)
	}
	if _, err := f.Stat("srv/none"); !errors.Is(err, fs.ErrNotExist) || lower.read == 0 {
		t.Errorf("%v after %d bytes of the lower layer: absence has to be proved there", err, lower.read)
	}
}

func TestProgramHeadIsKept(t *testing.T) {
	t.Parallel()
	s := &stored{data: gzipped(t, tarOf(t, noise("usr/bin/prog", 3<<20), noise("data", 3<<20), "end=1"))}
	f := view(s)
	if _, err := f.Stat("end"); err != nil {
		t.Fatal(err)
	}
	opened, before := s.opened, s.read
	file, err := f.Open("usr/bin/prog")
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(file, head); err != nil || s.opened != opened || s.read != before {
		t.Errorf("%v: the head was fetched again (%d opens, %d bytes)", err, s.opened, s.read-before)
	}
	want := []byte(strings.TrimPrefix(noise("usr/bin/prog", 3<<20), "usr/bin/prog="))
	rest, err := io.ReadAll(file)
	if !errors.Is(err, facts.ErrNotExamined) || !bytes.Equal(append(head, rest...), want[:keepBytes]) {
		t.Errorf("%v after %d bytes, want the first %d and not examined", err, len(head)+len(rest), keepBytes)
	}
	if _, err := f.ReadFile("data"); !errors.Is(err, facts.ErrNotExamined) {
		t.Errorf("a file of 3 MiB: %v", err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	lower := &stored{data: gzipped(t, tarOf(t, "etc/", "etc/passwd=x"))}
	upper := &stored{data: gzipped(t, tarOf(t, "srv/", "srv/ep.sh=x", noise("srv/data", 4<<20), "srv/last=1"))}
	f := newFiles([]blob{lower.blob("a"), upper.blob("b")}, 1<<20)
	if _, err := f.Stat("etc/passwd"); !errors.Is(err, facts.ErrNotExamined) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below the budget: %v", err)
	}
	if _, err := f.ReadFile("srv/ep.sh"); err != nil {
		t.Errorf("within the budget: %v", err)
	}
	entries, err := f.ReadDir("srv")
	if !errors.Is(err, facts.ErrNotExamined) || len(entries) == 0 {
		t.Errorf("a directory seen in part: %v, %v", entries, err)
	}
	if upper.read > 1<<20 || lower.read != 0 {
		t.Errorf("read %d + %d bytes", upper.read, lower.read)
	}
}

func TestBombIsBounded(t *testing.T) {
	t.Parallel()
	bomb := &stored{data: gzipped(t, tarOf(t, "zero="+strings.Repeat("\x00", 64<<20), "end=1"))}
	if _, err := newFiles([]blob{bomb.blob("a")}, 1<<20).Stat("end"); !errors.Is(err, facts.ErrNotExamined) {
		t.Errorf("64 MiB of zeros in %d bytes: %v", len(bomb.data), err)
	}
}

func TestBrokenLayers(t *testing.T) {
	t.Parallel()
	whole := tarOf(t, "a=1", noise("pad", 1<<20), "z=1")
	for name, data := range map[string][]byte{
		"cut": gzipped(t, whole)[:4000], "cut tar": whole[:1<<19], "no gzip": {0x1f, 0x8b, 1, 2}, "no zstd": {0x28, 0xb5, 0x2f, 0xfd, 1}, "noise": []byte(strings.Repeat("noise", 500)),
	} {
		f := view(&stored{data: tarOf(t, "z=low")}, &stored{data: data})
		if _, err := f.Stat("z"); !errors.Is(err, facts.ErrNotExamined) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want not examined", name, err)
		}
	}
	if _, err := view(&stored{}).Stat("a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty layer: %v", err)
	}
}

func TestStreamResumes(t *testing.T) {
	t.Parallel()
	s := &stored{data: tarOf(t, "a=1", noise("pad", 1<<20), "z=last"), breaks: 1 << 19}
	f := view(s)
	if got, err := f.ReadFile("z"); err != nil || string(got) != "last" || s.opened != 2 {
		t.Errorf("%q, %v after %d opens", got, err, s.opened)
	}
}

// TestDirectoryOverLink: engines differ, so neither answer may be claimed.
func TestDirectoryOverLink(t *testing.T) {
	t.Parallel()
	f := layersOf(t, []string{"usr/", "usr/bin/", "usr/bin/sh=x", "bin->usr/bin"}, []string{"bin/new=x"})
	if _, err := f.Stat("bin/sh"); !errors.Is(err, facts.ErrNotExamined) {
		t.Errorf("stat bin/sh: %v", err)
	}
}

func FuzzLayer(f *testing.F) {
	f.Add(tarOf(f, "a=1", "b->a", "c=>a", "d/", "d/.wh.x"), []byte("a"))
	f.Add(gzipped(f, tarOf(f, "bin/x=1")), []byte("bin/x"))
	f.Add(zstandard(f, tarOf(f, "bin/x=1")), []byte("."))
	f.Fuzz(func(t *testing.T, data, name []byte) {
		s := &stored{data: data}
		files := newFiles([]blob{{digest: "low", open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tarOf(t, "a=low"))), nil }}, s.blob("high")}, 1<<20)
		_, _ = files.Stat(string(name))
		_, _ = files.ReadFile(string(name))
		seen := 0
		_ = fs.WalkDir(files, ".", func(p string, e fs.DirEntry, err error) error {
			if seen++; seen > 1000 {
				return fs.SkipAll
			}
			if err == nil && !fs.ValidPath(p) {
				t.Errorf("a path that is none: %q", p)
			}
			return nil
		})
		if s.read > 1<<20 {
			t.Errorf("read %d bytes, more than the budget", s.read)
		}
	})
}

func TestEntriesOrder(t *testing.T) {
	t.Parallel()
	f := layersOf(t, []string{"b=1", "a=1"}, []string{"c=1"})
	entries, err := f.ReadDir(".")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
