package launch

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// Reading is bounded: scripts and package.json are small, and the head of a
// program holds all that the kernel looks at.
const (
	maxScript = 64 << 10
	maxHead   = 4 << 10
)

// inside turns an absolute path of the image into a name of its fs.FS.
func inside(file string) string {
	return strings.TrimPrefix(path.Clean("/"+file), "/")
}

// stat tells whether a file exists; an error that proves nothing is unknown.
func (f *follower) stat(file string) (fs.FileInfo, facts.Tri) {
	if f.files == nil {
		return nil, facts.Unknown
	}
	name := inside(file)
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(f.files, name)
	switch {
	case err == nil:
		return info, facts.Yes
	case errors.Is(err, fs.ErrNotExist):
		return nil, facts.No
	}
	return nil, facts.Unknown
}

func (f *follower) exists(file string) facts.Tri {
	_, found := f.stat(file)
	return found
}

// link returns where a symbolic link leads, or file itself.
func (f *follower) link(file string) string {
	links, ok := f.files.(fs.ReadLinkFS)
	if !ok {
		return file
	}
	for range 4 { // sh -> dash; /bin/sh -> /etc/alternatives/sh -> …
		target, err := links.ReadLink(inside(file))
		if err != nil {
			return file
		}
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(file), target)
		}
		file = target
	}
	return file
}

// head reads the first bytes of a file.
func (f *follower) head(file string, limit int64) ([]byte, error) {
	if f.files == nil {
		return nil, facts.ErrNotExamined
	}
	in, err := f.files.Open(inside(file))
	if err != nil {
		return nil, err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	return io.ReadAll(io.LimitReader(in, limit))
}

// read reads a small text file.
func (f *follower) read(file string) (string, error) {
	text, err := f.head(file, maxScript+1)
	if err == nil && len(text) > maxScript {
		err = errTooLarge
	}
	return string(text), err
}
