package engine

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
)

// maxRead bounds how much of one file is read, and maxEntries how much of one
// directory; what lies beyond is not examined.
const (
	maxRead    = probe.MaxRead
	maxEntries = 10_000
)

// backend answers questions about files; paths are absolute and clean.
type backend interface {
	stat(path string, follow bool) (*entry, error)
	readlink(path string) (string, error)
	// read returns at most limit bytes, and whether there are more.
	read(path string, limit int64) (content []byte, more bool, err error)
	readdir(path string) ([]*entry, error)
}

// entry describes a file, as fs.FileInfo and as fs.DirEntry.
type entry struct {
	name string
	size int64
	mode fs.FileMode
	time time.Time
	uid  int
	gid  int
	link string // raw target of a symbolic link, when it came along
	// ownerless: whose it is was not told.
	ownerless bool
}

func (e *entry) Name() string               { return e.name }
func (e *entry) Size() int64                { return e.size }
func (e *entry) Mode() fs.FileMode          { return e.mode }
func (e *entry) Type() fs.FileMode          { return e.mode.Type() }
func (e *entry) ModTime() time.Time         { return e.time }
func (e *entry) IsDir() bool                { return e.mode.IsDir() }
func (e *entry) Info() (fs.FileInfo, error) { return e.shown(), nil }

// shown is the entry with an owner only where that is known.
func (e *entry) shown() fs.FileInfo {
	if e.ownerless {
		return ownerless{e}
	}
	return e
}

// ownerless is a file's description without its owner.
type ownerless struct{ fs.FileInfo }

// Sys returns nil.
func (ownerless) Sys() any { return nil }

// Owner returns the numbers of the file's user and group.
func (e *entry) Owner() (uid, gid int) { return e.uid, e.gid }

// Sys returns a *tar.Header with the owner.
func (e *entry) Sys() any { return &tar.Header{Name: e.name, Uid: e.uid, Gid: e.gid} }

// tree makes an fs.FS of a backend, which is chosen at the first question.
type tree struct{ source func() backend }

var (
	_ fs.ReadLinkFS = tree{}
	_ fs.ReadFileFS = tree{}
	_ fs.ReadDirFS  = tree{}
	_ fs.StatFS     = tree{}
)

// ask turns a name of fs.FS into an absolute path, and an error into one that
// names it.
func ask[T any](op, name string, question func(path string) (T, error)) (T, error) {
	var none T
	if !fs.ValidPath(name) {
		return none, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	answer, err := question(path.Join("/", name))
	if err != nil {
		return none, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return answer, nil
}

func (t tree) Stat(name string) (fs.FileInfo, error) {
	return ask("stat", name, func(p string) (fs.FileInfo, error) { return show(t.source().stat(p, true)) })
}

func (t tree) Lstat(name string) (fs.FileInfo, error) {
	return ask("lstat", name, func(p string) (fs.FileInfo, error) { return show(t.source().stat(p, false)) })
}

func show(e *entry, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return e.shown(), nil
}

func (t tree) ReadLink(name string) (string, error) {
	return ask("readlink", name, func(p string) (string, error) { return t.source().readlink(p) })
}

func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	return ask("readdir", name, func(p string) ([]fs.DirEntry, error) {
		found, err := t.source().readdir(p)
		if err != nil {
			return nil, err
		}
		entries := make([]fs.DirEntry, len(found))
		for i, e := range found {
			entries[i] = e
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return entries, nil
	})
}

func (t tree) ReadFile(name string) ([]byte, error) {
	return ask("read", name, func(p string) ([]byte, error) {
		content, more, err := t.source().read(p, maxRead)
		if err == nil && more {
			err = tooLarge()
		}
		return content, err
	})
}

func (t tree) Open(name string) (fs.File, error) {
	return ask("open", name, func(p string) (fs.File, error) {
		info, err := t.source().stat(p, true)
		if err != nil {
			return nil, err
		}
		f := &file{path: p, info: info, source: t.source()}
		if info.IsDir() {
			return &directory{file: f, list: func() ([]fs.DirEntry, error) { return t.ReadDir(name) }}, nil
		}
		return f, nil
	})
}

func tooLarge() error {
	return fmt.Errorf("larger than %d bytes: %w", maxRead, facts.ErrNotExamined)
}

// file reads ever larger prefixes, since most readers want only the start.
type file struct {
	path    string
	info    *entry
	source  backend
	content []byte
	more    bool
	asked   int64
	offset  int
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info.shown(), nil }
func (f *file) Close() error               { return nil }

// firstRead holds the head of any program or script; each further read takes
// growth times as much.
const (
	firstRead = 4 << 10
	growth    = 16
)

func (f *file) Read(p []byte) (int, error) {
	for f.offset == len(f.content) {
		switch {
		case f.asked > 0 && !f.more:
			return 0, io.EOF
		case f.asked >= maxRead:
			return 0, &fs.PathError{Op: "read", Path: f.path, Err: tooLarge()}
		}
		next := min(max(firstRead, f.asked*growth, int64(f.offset+len(p))), maxRead)
		content, more, err := f.source.read(f.path, next)
		if err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.path, Err: err}
		}
		f.content, f.more, f.asked = content, more, next
		if len(content) < f.offset {
			return 0, &fs.PathError{Op: "read", Path: f.path, Err: errors.New("the file shrank")}
		}
	}
	n := copy(p, f.content[f.offset:])
	f.offset += n
	return n, nil
}

// directory lists its entries once.
type directory struct {
	*file
	list    func() ([]fs.DirEntry, error)
	entries []fs.DirEntry
	listed  bool
}

func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a directory")}
}

func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		entries, err := d.list()
		if err != nil {
			return nil, err
		}
		d.entries, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	taken := d.entries[:n]
	d.entries = d.entries[n:]
	return taken, nil
}
