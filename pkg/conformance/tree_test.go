package conformance

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree is a root file system as imglint reads it: a directory, with a case's
// files over it. Links stay inside.
type tree struct {
	dir   string
	files map[string]string // absolute, cleaned, resolved
}

const maxLinks = 40

// resolve follows the links of name and returns its place in the tree, which
// may not exist; the last part is followed when last is set.
func (t tree) resolve(op, name string, last bool) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		if _, ours := t.files[next]; !ours && (last || len(rest) > 0) {
			if target, err := os.Readlink(filepath.Join(t.dir, next)); err == nil {
				if links++; links > maxLinks {
					return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
				}
				if path.IsAbs(target) {
					at = "/"
				}
				rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
				continue
			}
		}
		at = next
	}
	return at, nil
}

// Open opens a file.
func (t tree) Open(name string) (fs.File, error) {
	at, err := t.resolve("open", name, true)
	if err != nil {
		return nil, err
	}
	if text, ok := t.files[at]; ok {
		return &textFile{Reader: bytes.NewReader([]byte(text)), name: path.Base(at), text: text}, nil
	}
	if t.above(at) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: a directory", fs.ErrInvalid)}
	}
	return os.Open(filepath.Join(t.dir, at))
}

// above reports whether a directory exists only because of the case's files.
func (t tree) above(at string) bool {
	if _, err := os.Lstat(filepath.Join(t.dir, at)); err == nil {
		return false
	}
	for file := range t.files {
		if strings.HasPrefix(file, strings.TrimSuffix(at, "/")+"/") {
			return true
		}
	}
	return false
}

// Stat describes a file.
func (t tree) Stat(name string) (fs.FileInfo, error) { return t.info("stat", name, true) }

// Lstat describes a file or link.
func (t tree) Lstat(name string) (fs.FileInfo, error) { return t.info("lstat", name, false) }

func (t tree) info(op, name string, last bool) (fs.FileInfo, error) {
	at, err := t.resolve(op, name, last)
	if err != nil {
		return nil, err
	}
	if text, ok := t.files[at]; ok {
		return &textFile{name: path.Base(at), text: text}, nil
	}
	if t.above(at) {
		return &textFile{name: path.Base(at), dir: true}, nil
	}
	return os.Lstat(filepath.Join(t.dir, at))
}

// ReadLink reads a link.
func (t tree) ReadLink(name string) (string, error) {
	at, err := t.resolve("readlink", name, false)
	if err != nil {
		return "", err
	}
	if _, ours := t.files[at]; ours {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return os.Readlink(filepath.Join(t.dir, at))
}

// ReadDir lists a directory.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := t.resolve("readdir", name, true)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(t.dir, at))
	for file, text := range t.files {
		below, ok := strings.CutPrefix(file, strings.TrimSuffix(at, "/")+"/")
		if !ok {
			continue
		}
		base, _, isDir := strings.Cut(below, "/")
		entries, err = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base && !isDir }), nil
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base }) {
			entries = append(entries, fs.FileInfoToDirEntry(&textFile{name: base, text: text, dir: isDir}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// textFile is an open file of a case and its own description.
type textFile struct {
	*bytes.Reader
	name, text string
	dir        bool
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *textFile) Close() error               { return nil }
func (f *textFile) Name() string               { return f.name }
func (f *textFile) Size() int64                { return int64(len(f.text)) }
func (f *textFile) ModTime() time.Time         { return time.Time{} }
func (f *textFile) IsDir() bool                { return f.dir }
func (f *textFile) Sys() any                   { return nil }

func (f *textFile) Mode() fs.FileMode {
	if f.dir {
		return fs.ModeDir | 0o755
	}
	return fs.FileMode(mode(f.text))
}

// mode makes scripts executable.
func mode(text string) int64 {
	if strings.HasPrefix(text, "#!") {
		return 0o755
	}
	return 0o644
}

func TestTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"usr/bin", "etc/app"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"usr/bin/sh": "sh", "etc/app/a.conf": "old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "etc/link": "/etc/app/a.conf", "out": "/../../../etc/passwd-of-nobody"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	files := tree{dir, map[string]string{"/etc/app/a.conf": "new", "/etc/app/b/c.conf": "c"}}
	for name, want := range map[string]string{"bin/sh": "sh", "etc/link": "new", "etc/app/b/c.conf": "c"} {
		if got, err := fs.ReadFile(files, name); string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := fs.ReadFile(files, "out"); err == nil {
		t.Error("a link led out of the tree")
	}
	entries, err := files.ReadDir("etc/app")
	if err != nil || len(entries) != 2 || entries[0].IsDir() || !entries[1].IsDir() {
		t.Errorf("etc/app holds %v, %v", entries, err)
	}
}
