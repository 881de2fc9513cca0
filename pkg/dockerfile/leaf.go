package dockerfile

import (
	"io"
	"io/fs"
	"strings"
	"time"
)

// leaf is a file of the image to be.
type leaf struct {
	name  string
	size  int64
	mode  fs.FileMode
	owned bool        // by root, which is certain
	base  fs.FileInfo // of a file of the base image
	open  func() (io.ReadCloser, error)
}

// changed applies changes of the mode, the last one first in the list.
func (e *leaf) changed(modes []chmod) *leaf {
	for i := len(modes) - 1; i >= 0; i-- {
		e.mode = modes[i].apply(e.mode)
	}
	return e
}

// info describes the entry. Only a file whose owner is certain tells it.
func (e *leaf) info() fs.FileInfo {
	if e.base != nil && e.base.Mode() == e.mode {
		return e.base
	}
	if e.owned {
		return rootsInfo{entryInfo{e}}
	}
	return entryInfo{e}
}

type entryInfo struct{ e *leaf }

// Name implements fs.FileInfo.
func (i entryInfo) Name() string { return i.e.name }

// Size implements fs.FileInfo.
func (i entryInfo) Size() int64 { return i.e.size }

// Mode implements fs.FileInfo.
func (i entryInfo) Mode() fs.FileMode { return i.e.mode }

// ModTime implements fs.FileInfo.
func (i entryInfo) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (i entryInfo) IsDir() bool { return i.e.mode.IsDir() }

// Sys implements fs.FileInfo.
func (i entryInfo) Sys() any { return nil }

// rootsInfo is the description of a file that root owns.
type rootsInfo struct{ entryInfo }

// Owner returns the numbers of the file's user and group.
func (rootsInfo) Owner() (uid, gid int) { return 0, 0 }

// openFile is an open entry; in is nil for a directory.
type openFile struct {
	entry *leaf
	in    io.ReadCloser
}

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry.info(), nil }

// Read implements fs.File.
func (f *openFile) Read(p []byte) (int, error) {
	if f.in == nil {
		return 0, &fs.PathError{Op: "read", Path: f.entry.name, Err: fs.ErrInvalid}
	}
	return f.in.Read(p)
}

// Close implements fs.File.
func (f *openFile) Close() error {
	if f.in == nil {
		return nil
	}
	return f.in.Close()
}

func stringReader(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}
