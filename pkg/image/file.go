package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

var errTooLarge = fmt.Errorf("only the first %d bytes of a file are read: %w", keepBytes, facts.ErrNotExamined)

// Open implements fs.FS. Reading a file brings only as much of it as is read,
// and at most its first 1 MiB.
func (f *files) Open(name string) (fs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, inode, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	opened := &file{files: f, name: name, node: inode}
	if inode.header.Typeflag == tar.TypeDir {
		return &directory{file: opened, path: at.path}, nil
	}
	return opened, nil
}

// info describes a node under the name that it was asked by.
type info struct {
	name string
	node *node
}

// Name implements fs.FileInfo.
func (i info) Name() string { return i.name }

// Size implements fs.FileInfo.
func (i info) Size() int64 { return i.node.header.Size }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode { return i.node.header.FileInfo().Mode() }

// ModTime implements fs.FileInfo.
func (i info) ModTime() time.Time { return i.node.header.ModTime }

// IsDir implements fs.FileInfo.
func (i info) IsDir() bool { return i.Mode().IsDir() }

// Sys implements fs.FileInfo with the tar's own header.
func (i info) Sys() any { return &i.node.header }

// Owner returns the numbers of the file's user and group.
func (i info) Owner() (uid, gid int) { return i.node.header.Uid, i.node.header.Gid }

// file is an open file.
type file struct {
	files  *files
	name   string
	node   *node
	offset int64
}

// Stat implements fs.File.
func (f *file) Stat() (fs.FileInfo, error) {
	return info{name: path.Base(f.name), node: f.node}, nil
}

// Close implements fs.File.
func (f *file) Close() error { return nil }

// Read implements fs.File.
func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.offset)
	f.offset += int64(n)
	if n > 0 {
		err = nil // the next call says it again
	}
	return n, err
}

// ReadAt implements io.ReaderAt within the first 1 MiB.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if offset < 0 {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrInvalid}
	}
	if len(p) == 0 {
		return 0, nil
	}
	size := f.node.header.Size
	if f.node.header.Typeflag != tar.TypeReg || offset >= size {
		return 0, io.EOF
	}
	if offset >= keepBytes {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: errTooLarge}
	}
	want := min(offset+int64(len(p)), size, keepBytes)
	if err := f.files.fill(f.node, want); err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	n := copy(p, f.node.content[offset:want])
	if n == len(p) {
		return n, nil
	}
	if want == size {
		return n, io.EOF
	}
	return n, &fs.PathError{Op: "read", Path: f.name, Err: errTooLarge}
}

// directory is an open directory.
type directory struct {
	*file
	path    string
	entries []fs.DirEntry
	err     error
	listed  bool
}

// Read implements fs.File.
func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		d.entries, d.err = d.files.ReadDir(d.path)
		d.listed = true
	}
	if n <= 0 {
		rest := d.entries
		d.entries = nil
		return rest, d.err
	}
	if len(d.entries) == 0 {
		if d.err != nil {
			return nil, d.err
		}
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	page := d.entries[:n]
	d.entries = d.entries[n:]
	return page, nil
}
