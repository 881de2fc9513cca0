package layers

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func pack(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		content := h.Uname // stands for the content
		h.Uname = ""
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Uname: content}
}

func dir(name string, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}
}

func link(kind byte, name, to string) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Linkname: to, Mode: 0o777}
}

// tempDir is one that is removed even if its own modes forbid that.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "imglint-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeTree(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// isRoot: the tests that make whiteouts of the owned kind need it.
var isRoot = os.Geteuid() == 0

// listing describes a tree, a line a file.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %s", strings.TrimPrefix(path, dir), info.Mode())
		switch {
		case d.Type().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(content)
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " " + to
		case d.IsDir():
			for _, mark := range []string{opaqueName(true), opaqueName(false)} {
				if n, err := unix.Lgetxattr(path, mark, make([]byte, 1)); err == nil && n > 0 {
					line += " opaque"
				}
			}
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		entries []tar.Header
		want    []string
	}{
		{"modes are kept", []tar.Header{dir("tmp/", 0o1777), dir("ro", 0o555), file("ro/f", "x")},
			[]string{"/ro dr-xr-xr-x", "/ro/f -rw-r--r-- x", "/tmp dtrwxrwxrwx"}},
		{"directories that the layer does not list", []tar.Header{file("a/b/c", "x")},
			[]string{"/a drwxr-xr-x", "/a/b drwxr-xr-x", "/a/b/c -rw-r--r-- x"}},
		{"names that lead out", []tar.Header{file("../../up", "x"), file("/abs", "y"), file("a/../../b", "z")},
			[]string{"/abs -rw-r--r-- y", "/b -rw-r--r-- z", "/up -rw-r--r-- x"}},
		{"links that lead out", []tar.Header{link(tar.TypeSymlink, "out", "/etc"), dir("etc", 0o755), file("out/hosts", "mine"),
			link(tar.TypeSymlink, "up", "../../../.."), file("up/there", "inside")},
			[]string{"/etc drwxr-xr-x", "/etc/hosts -rw-r--r-- mine", "/out Lrwxrwxrwx /etc", "/there -rw-r--r-- inside", "/up Lrwxrwxrwx ../../../.."}},
		{"a link is replaced, not followed", []tar.Header{file("real", "old"), link(tar.TypeSymlink, "l", "real"), file("l", "new")},
			[]string{"/l -rw-r--r-- new", "/real -rw-r--r-- old"}},
		{"hard links", []tar.Header{file("a", "x"), link(tar.TypeLink, "d/b", "a"), link(tar.TypeLink, "c", "/d/b")},
			[]string{"/a -rw-r--r-- x", "/c -rw-r--r-- x", "/d drwxr-xr-x", "/d/b -rw-r--r-- x"}},
		{"whiteouts", []tar.Header{file("d/.wh.gone", ""), file("e/.wh..wh..opq", ""), file("e/new", "x"), file(".wh..wh.plnk", "")},
			[]string{"/d drwxr-xr-x", "/d/gone Dc---------", "/e drwxr-xr-x opaque", "/e/new -rw-r--r-- x"}},
		{"a whiteout does not hide its own layer", []tar.Header{file("f", "x"), file(".wh.f", ""), dir("d", 0o755), file(".wh.d", ""), file("d/y", "y")},
			[]string{"/d drwxr-xr-x opaque", "/d/y -rw-r--r-- y", "/f -rw-r--r-- x"}},
		{"a directory in place of a whiteout", []tar.Header{file(".wh.d", ""), dir("d", 0o700), file(".wh.f", ""), file("f", "x")},
			[]string{"/d drwx------ opaque", "/f -rw-r--r-- x"}},
		{"kinds that replace each other", []tar.Header{dir("a", 0o755), file("a/x", ""), file("a", "file"), file("b", ""), dir("b", 0o755), file("b/y", "y")},
			[]string{"/a -rw-r--r-- file", "/b drwxr-xr-x", "/b/y -rw-r--r-- y"}},
		{"devices are left out", []tar.Header{{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3}, {Typeflag: tar.TypeFifo, Name: "p", Mode: 0o600}},
			[]string{"/p prw-------"}},
	}
	for _, tt := range tests {
		for _, owned := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, owned %t", tt.name, owned), func(t *testing.T) {
				t.Parallel()
				if owned && !isRoot {
					t.Skip("only root can give files away")
				}
				into := tempDir(t)
				if _, err := unpack(bytes.NewReader(pack(t, tt.entries...)), into, owned, nil, DefaultLimits); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, listing(t, into)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
}

func TestUnpackAttributes(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	content := pack(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "d", Mode: 0o750, Uid: 7, Gid: 8, ModTime: at},
		tar.Header{Typeflag: tar.TypeReg, Name: "d/su", Mode: 0o4755, Uid: 1000, Gid: 1001, ModTime: at, Uname: "x"})
	into := tempDir(t)
	known, err := unpack(bytes.NewReader(content), into, isRoot, nil, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]unix.Stat_t{
		"d": {Mode: unix.S_IFDIR | 0o750, Uid: 7, Gid: 8}, "d/su": {Mode: unix.S_IFREG | 0o4755, Uid: 1000, Gid: 1001},
	} {
		var got unix.Stat_t
		if err := unix.Lstat(filepath.Join(into, name), &got); err != nil {
			t.Fatal(err)
		}
		if isRoot && (got.Uid != want.Uid || got.Gid != want.Gid) {
			t.Errorf("%s belongs to %d:%d, want %d:%d", name, got.Uid, got.Gid, want.Uid, want.Gid)
		}
		if got.Mode != want.Mode || got.Mtim.Sec != at.Unix() {
			t.Errorf("%s: mode %o, time %d; want %o, %d", name, got.Mode, got.Mtim.Sec, want.Mode, at.Unix())
		}
	}
	if !isRoot && len(known.Owners) != 2 {
		t.Errorf("owners %+v, want both", known.Owners)
	}
}

// Where all files have one owner, modes tell who it is that may not.
func TestUnpackAs(t *testing.T) {
	t.Parallel()
	header := func(name string, mode int64, uid, gid int) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Uid: uid, Gid: gid}
	}
	content := pack(t, header("mine", 0o640, 33, 0), header("ours", 0o670, 0, 33), header("theirs", 0o755, 0, 0),
		header("group44", 0o640, 0, 44), header("closed", 0o700, 7, 7), tar.Header{Typeflag: tar.TypeDir, Name: "d", Mode: 0o755})
	into := tempDir(t)
	if _, err := unpack(bytes.NewReader(content), into, false, &User{UID: 33, GID: 33, Groups: []int{44}}, DefaultLimits); err != nil {
		t.Fatal(err)
	}
	want := []string{"d dr-xr-xr-x", "mine -rw-r-----", "ours -rwxrwx---", "group44 -r--r-----", "theirs -r-xr-xr-x", "closed ----------"}
	for _, w := range want {
		name, mode, _ := strings.Cut(w, " ")
		if info, err := os.Lstat(filepath.Join(into, name)); err != nil || info.Mode().String() != mode {
			t.Errorf("%s: %v, %v; want %s", name, info.Mode(), err, mode)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content []byte
		limits  Limits
		want    string
	}{
		{"too many bytes", pack(t, file("a", strings.Repeat("x", 600)), file("b", strings.Repeat("x", 600))), Limits{1000, 10}, "more than 1000 bytes"},
		{"too many files", pack(t, file("a", ""), file("b", ""), file("c", "")), Limits{1000, 2}, "more than 2 files"},
		{"not a tar", bytes.Repeat([]byte("garbage"), 1000), DefaultLimits, "read layer"},
		{"cut off", pack(t, file("a", strings.Repeat("x", 5000)))[:2000], DefaultLimits, "unexpected EOF"},
		{"a link to nothing", pack(t, link(tar.TypeLink, "a", "nothing")), DefaultLimits, `link to "/nothing"`},
		{"a file for a directory", pack(t, file("a", ""), file("a/b", "")), DefaultLimits, `unpack "a/b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := unpack(bytes.NewReader(tt.content), tempDir(t), false, nil, tt.limits)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if strings.HasPrefix(tt.name, "too") != errors.Is(err, ErrTooLarge) {
				t.Errorf("error %v: wrong about the size", err)
			}
		})
	}
}

// FuzzUnpack feeds tars of every kind; nothing beside the directory changes.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, file("../../up", "x"), link(tar.TypeSymlink, "l", "../../.."), file("l/sentinel", "bad"), link(tar.TypeLink, "h", "l/sentinel")))
	f.Add(pack(f, dir("a", 0), file("a/b", "x"), file("a/.wh.b", ""), file("a/.wh..wh..opq", ""), link(tar.TypeSymlink, "a/b", "/")))
	f.Add(pack(f, link(tar.TypeSymlink, "a", "b"), link(tar.TypeSymlink, "b", "a"), file("a/x", "")))
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(pack(f, file("a", "x")))
	w.Close()
	f.Add(z.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		outer := tempDir(t)
		inner := filepath.Join(outer, "a", "b")
		if err := os.MkdirAll(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(outer, "sentinel"), []byte("good"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(bytes.NewReader(content), inner, isRoot, nil, Limits{1 << 20, 1000})
		if err := removeTree(inner); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(listing(t, outer), func(l string) bool { return strings.HasPrefix(l, "/a") && !strings.HasPrefix(l, "/a/b/") })
		if diff := cmp.Diff([]string{"/sentinel -rw------- good"}, got); diff != "" {
			t.Errorf("outside:\n%s", diff)
		}
	})
}

// TestUserName: a cache's directory tells whom it is for.
func TestUserName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]User{"1000-100": {UID: 1000, GID: 100}, "0-5+7+44": {UID: 0, GID: 5, Groups: []int{7, 44}}} {
		if got, ok := parseUser(text); !ok || !reflect.DeepEqual(got, want) || got.name() != text {
			t.Errorf("%s: %+v, %t, %s", text, got, ok, got.name())
		}
	}
	for _, text := range []string{"", "x-1", "1", "1-1+", "1-1+x"} {
		if got, ok := parseUser(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
