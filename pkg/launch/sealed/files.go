package sealed

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
)

// overlay is the image's files with what the script writes on top, in memory.
type overlay struct {
	image   fs.FS
	written map[string]*bytes.Buffer
	made    map[string]bool // directories
	gone    map[string]bool
	bytes   int
}

func newOverlay(image fs.FS, written map[string]string) *overlay {
	o := &overlay{image: image, written: map[string]*bytes.Buffer{}, made: map[string]bool{}, gone: map[string]bool{}}
	for name, text := range written {
		o.written[name] = bytes.NewBufferString(text)
	}
	return o
}

func absolute(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

func inside(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}

// lookup tells whether a file is there; what was not examined is unknown.
func (o *overlay) lookup(name string) (fs.FileInfo, facts.Tri) {
	switch {
	case tainted(name):
		return nil, facts.Unknown
	case o.written[name] != nil:
		return info{name: path.Base(name), size: int64(o.written[name].Len()), mode: 0o644}, facts.Yes
	case o.made[name] || name == "/":
		return info{name: path.Base(name), mode: fs.ModeDir | 0o755}, facts.Yes
	case o.gone[name]:
		return nil, facts.No
	case strings.HasPrefix(name, "/dev/") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") || o.image == nil:
		return nil, facts.Unknown
	}
	i, err := fs.Stat(o.image, inside(name))
	switch {
	case err == nil:
		return i, facts.Yes
	case errors.Is(err, fs.ErrNotExist):
		return nil, facts.No
	}
	return nil, facts.Unknown
}

// text reads a small file.
func (o *overlay) text(name string) (string, error) {
	if b := o.written[name]; b != nil {
		return b.String(), nil
	}
	if o.gone[name] || o.image == nil {
		return "", fs.ErrNotExist
	}
	f, err := o.image.Open(inside(name))
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if len(text) > maxText {
		err = errors.New("too large")
	}
	return strings.Map(plain, string(text)), err
}

// write puts a text in the place of a file's.
func (o *overlay) write(name, text string) {
	if o.bytes += len(text); o.bytes > maxBytes {
		text = string(lastUnknown)
	}
	o.written[name] = bytes.NewBufferString(text)
	delete(o.gone, name)
}

// known returns the written files whose text is known and tells the others,
// and those that are there no more.
func (o *overlay) known(tell func(string)) map[string]string {
	var all map[string]string
	for _, name := range slices.Sorted(maps.Keys(o.gone)) {
		if o.written[name] == nil && o.image != nil {
			if _, err := fs.Stat(o.image, inside(name)); err == nil {
				tell(name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.written)) {
		text := o.written[name].String()
		if tainted(text) {
			tell(name)
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = text
	}
	return all
}

// info describes a file of the overlay.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string               { return i.name }
func (i info) Size() int64                { return i.size }
func (i info) Mode() fs.FileMode          { return i.mode }
func (i info) ModTime() time.Time         { return time.Time{} }
func (i info) IsDir() bool                { return i.mode.IsDir() }
func (i info) Sys() any                   { return nil }
func (i info) Type() fs.FileMode          { return i.mode.Type() }
func (i info) Info() (fs.FileInfo, error) { return i, nil }

func pathError(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

func (m *machine) stat(ctx context.Context, name string, _ bool) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := m.files.lookup(absolute(interp.HandlerCtx(ctx).Dir, name))
	if found != facts.Yes {
		return nil, pathError("stat", name)
	}
	return i, nil
}

func (m *machine) access(ctx context.Context, name string, mode interp.AccessMode) error {
	i, err := m.stat(ctx, name, true)
	if err == nil && mode&interp.AccessExec != 0 && i.Mode()&0o111 == 0 {
		return pathError("access", name)
	}
	return err
}

func (m *machine) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir := absolute(interp.HandlerCtx(ctx).Dir, name)
	if m.files.image == nil || tainted(dir) {
		return nil, pathError("open", name)
	}
	entries, err := fs.ReadDir(m.files.image, inside(dir))
	for name := range m.files.written {
		if path.Dir(name) == dir && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(name) }) {
			entries, err = append(entries, info{name: path.Base(name), mode: 0o644}), nil
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// sink keeps what a script writes into a file.
type sink struct {
	m    *machine
	name string
	*bytes.Reader
}

func (s *sink) Write(p []byte) (int, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.files.bytes += len(p); s.m.files.bytes > maxBytes {
		return 0, errors.New("the script writes too much")
	}
	if b := s.m.files.written[s.name]; b != nil {
		b.Write(p)
	}
	return len(p), nil
}

func (s *sink) Close() error { return nil }

func (m *machine) open(ctx context.Context, name string, flag int, _ fs.FileMode) (io.ReadWriteCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = absolute(interp.HandlerCtx(ctx).Dir, name)
	f := &sink{m: m, name: name, Reader: bytes.NewReader(nil)}
	writes := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case name == "/dev/null" || strings.HasPrefix(name, "/dev/") && writes || strings.HasPrefix(name, "/proc/") && writes:
		return f, nil
	case writes:
		text, err := m.files.text(name)
		if flag&os.O_APPEND == 0 || err != nil && errors.Is(err, fs.ErrNotExist) {
			text = ""
		} else if err != nil {
			text = string(m.unknown("the text of " + name))
		}
		m.files.written[name] = bytes.NewBufferString(text)
		return f, nil
	}
	text, err := m.files.text(name)
	if err != nil {
		if _, found := m.files.lookup(name); found == facts.No && m.ran == 0 {
			return nil, pathError("open", name)
		}
		text = string(m.unknown("$(cat "+name+")")) + "\n"
	}
	f.Reader = bytes.NewReader([]byte(text))
	return f, nil
}
