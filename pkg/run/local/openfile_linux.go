package local

import (
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Open implements fs.FS.
func (v view) Open(name string) (fs.File, error) {
	p, err := v.walk(name, true)
	if err != nil {
		return nil, failed("open", name, err)
	}
	switch {
	case p.IsDir():
		return &openDir{openFile: openFile{place: p}, list: func() ([]fs.DirEntry, error) { return v.ReadDir(name) }}, nil
	case !p.Mode().IsRegular():
		return &openFile{place: p, Reader: strings.NewReader("")}, nil
	}
	f, err := os.OpenFile(v.real(p), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, failed("open", name, unexamined(err))
	}
	return &openFile{place: p, Reader: f, Closer: f}, nil
}

type openFile struct {
	place place
	io.Reader
	io.Closer
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.place, nil }

func (f *openFile) Close() error {
	if f.Closer == nil {
		return nil
	}
	return f.Closer.Close()
}

// openDir lists its entries once.
type openDir struct {
	openFile
	list   func() ([]fs.DirEntry, error)
	rest   []fs.DirEntry
	listed bool
}

func (d *openDir) Read([]byte) (int, error) { return 0, failed("read", d.place.inside, syscall.EISDIR) }

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) (taken []fs.DirEntry, err error) {
	if !d.listed {
		if d.rest, err = d.list(); err != nil {
			return nil, err
		}
		d.listed = true
	}
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	taken, d.rest = d.rest[:n], d.rest[n:]
	return taken, nil
}
