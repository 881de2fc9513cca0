package layers

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReadFile returns a file, of at most max bytes, as it is seen when layers,
// topmost first, lie on top of each other. Links are followed within the layer
// that has the file.
func ReadFile(held []*Held, name string, max int64) ([]byte, error) {
	for _, h := range held {
		content, found, err := h.read(name, max)
		if found || err != nil {
			return content, err
		}
	}
	return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
}

// read is found when lower layers have no say.
func (h *Held) read(name string, max int64) (content []byte, found bool, err error) {
	t, err := openTree(h.Dir, true)
	if err != nil {
		return nil, false, err
	}
	defer t.close()
	fd, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		if h.hides(name) {
			return nil, true, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
		}
		return nil, false, nil
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, true, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	content, err = io.ReadAll(io.LimitReader(f, max))
	return content, true, err
}

// hides reports whether the layer takes a path of lower layers away.
func (h *Held) hides(name string) bool {
	at := h.Dir
	for _, part := range strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/") {
		at += "/" + part
		var info unix.Stat_t
		if unix.Lstat(at, &info) != nil {
			return false
		}
		if info.Mode&unix.S_IFMT == unix.S_IFCHR || Opaque(at) {
			return true
		}
	}
	return false
}

// Whiteout reports whether a file of a layer stands for one that is removed.
func Whiteout(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().Type() == fs.ModeDevice|fs.ModeCharDevice && stat.Rdev == 0
}

// Opaque reports whether a directory of a layer hides what lower ones have.
func Opaque(dir string) bool {
	for _, mark := range []string{opaqueName(true), opaqueName(false)} {
		if n, err := unix.Lgetxattr(dir, mark, make([]byte, 1)); err == nil && n > 0 {
			return true
		}
	}
	return false
}
