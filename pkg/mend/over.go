package mend

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/finding"
)

// Over is a file system with edits made in its files.
func Over(files fs.FS, edits []finding.FileEdit) (fs.FS, error) {
	if len(edits) == 0 {
		return files, nil
	}
	o := over{files: files, edited: map[string]*edited{}}
	for _, e := range edits {
		name := strings.TrimPrefix(path.Clean(e.Path), "/")
		f := o.edited[name]
		if f == nil {
			info, err := fs.Stat(files, name)
			if err != nil {
				return nil, err
			}
			text, ok := read(files, name)
			if !ok && e.Line != 0 {
				return nil, fmt.Errorf("edit %s: %w", e.Path, ErrOtherText)
			}
			f = &edited{FileInfo: info, text: text, mode: info.Mode(), same: !ok}
			o.edited[name] = f
		}
		text, err := Apply(f.text, e)
		if err != nil {
			return nil, err
		}
		f.text = text
		if e.Mode != 0 {
			f.mode = f.mode&^fs.ModePerm | fs.FileMode(e.Mode)&fs.ModePerm
		}
	}
	return o, nil
}

type over struct {
	files  fs.FS
	edited map[string]*edited
}

// edited is a file whose text or mode is another.
type edited struct {
	fs.FileInfo
	text string
	mode fs.FileMode
	same bool // the text is the old one, and is no text that a person wrote
}

// Size implements fs.FileInfo.
func (e *edited) Size() int64 {
	if e.same {
		return e.FileInfo.Size()
	}
	return int64(len(e.text))
}

// Mode implements fs.FileInfo.
func (e *edited) Mode() fs.FileMode { return e.mode }

// ModTime implements fs.FileInfo.
func (e *edited) ModTime() time.Time { return time.Time{} }

// info describes the file. Only one whose owner is known tells it.
func (e *edited) info() fs.FileInfo {
	if _, ok := e.FileInfo.(owner); ok {
		return ownedInfo{e}
	}
	return e
}

type owner interface{ Owner() (uid, gid int) }

type ownedInfo struct{ *edited }

// Owner returns the numbers of the file's user and group.
func (o ownedInfo) Owner() (uid, gid int) { return o.FileInfo.(owner).Owner() }

// Open implements fs.FS.
func (o over) Open(name string) (fs.File, error) {
	e, ok := o.edited[name]
	if !ok {
		return o.files.Open(name)
	}
	if e.same {
		f, err := o.files.Open(name)
		return openFile{info: e.info(), Reader: f, closer: f}, err
	}
	return openFile{info: e.info(), Reader: strings.NewReader(e.text)}, nil
}

// Stat implements fs.StatFS.
func (o over) Stat(name string) (fs.FileInfo, error) {
	if e, ok := o.edited[name]; ok {
		return e.info(), nil
	}
	return fs.Stat(o.files, name)
}

// ReadFile implements fs.ReadFileFS.
func (o over) ReadFile(name string) ([]byte, error) {
	if e, ok := o.edited[name]; ok && !e.same {
		return []byte(e.text), nil
	}
	return fs.ReadFile(o.files, name)
}

// ReadDir implements fs.ReadDirFS.
func (o over) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(o.files, name) }

// ReadLink implements fs.ReadLinkFS.
func (o over) ReadLink(name string) (string, error) { return fs.ReadLink(o.files, name) }

// Lstat implements fs.ReadLinkFS.
func (o over) Lstat(name string) (fs.FileInfo, error) {
	if e, ok := o.edited[name]; ok {
		return e.info(), nil
	}
	return fs.Lstat(o.files, name)
}

type openFile struct {
	io.Reader
	info   fs.FileInfo
	closer io.Closer
}

// Stat implements fs.File.
func (f openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f openFile) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}
