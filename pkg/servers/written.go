package servers

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// withWritten lays the files that scripts write over the image's.
func withWritten(files fs.FS, written map[string]string) fs.FS {
	if len(written) == 0 || files == nil {
		return files
	}
	return overlay{files, written}
}

type overlay struct {
	image   fs.FS
	written map[string]string
}

// Open opens a written file, or one of the image.
func (o overlay) Open(name string) (fs.File, error) {
	if text, ok := o.written["/"+name]; ok {
		return &writtenFile{Reader: bytes.NewReader([]byte(text)), name: path.Base(name)}, nil
	}
	return o.image.Open(name)
}

// ReadDir lists a directory with the written files in it.
func (o overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.image, name)
	for file, text := range o.written {
		base := path.Base(file)
		there := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base })
		if path.Dir(file) == path.Join("/", name) && !there {
			f := &writtenFile{Reader: bytes.NewReader([]byte(text)), name: base}
			entries, err = append(entries, fs.FileInfoToDirEntry(f)), nil
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// ReadLink follows the image's links.
func (o overlay) ReadLink(name string) (string, error) { return fs.ReadLink(o.image, name) }

// Lstat describes a file without following a link.
func (o overlay) Lstat(name string) (fs.FileInfo, error) {
	if text, ok := o.written["/"+name]; ok {
		return &writtenFile{Reader: bytes.NewReader([]byte(text)), name: path.Base(name)}, nil
	}
	return fs.Lstat(o.image, name)
}

// writtenFile is an open file and its own description.
type writtenFile struct {
	*bytes.Reader
	name string
}

// Stat describes the file.
func (f *writtenFile) Stat() (fs.FileInfo, error) { return f, nil }

// Close does nothing.
func (f *writtenFile) Close() error { return nil }

// Name and the others are those of fs.FileInfo.
func (f *writtenFile) Name() string { return f.name }

// Size returns the length in bytes.
func (f *writtenFile) Size() int64 { return f.Reader.Size() }

// Mode is that of a plain file.
func (f *writtenFile) Mode() fs.FileMode { return 0o644 }

// ModTime is not known.
func (f *writtenFile) ModTime() time.Time { return time.Time{} }

// IsDir is false.
func (f *writtenFile) IsDir() bool { return false }

// Sys returns nothing.
func (f *writtenFile) Sys() any { return nil }
