package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/imglint/imglint/pkg/facts"
)

// errLinks is what a loop of links answers.
var errLinks = errors.New("too many levels of links")

// maxLinks is Linux's own limit (path_resolution(7)).
const maxLinks = 40

// files is the merged view over the layers. Layers are read from the top, only
// as far as the question needs: a path is absent when every layer was
// examined, and facts.ErrNotExamined where one could not be.
type files struct {
	mu      sync.Mutex
	layers  []*layer // the top one first
	limits  *limits
	budget  int64
	counted bool // what is read is counted where it comes from
}

var (
	_ fs.StatFS     = (*files)(nil)
	_ fs.ReadDirFS  = (*files)(nil)
	_ fs.ReadFileFS = (*files)(nil)
	_ fs.ReadLinkFS = (*files)(nil)
)

// newFiles merges blobs, the lowest layer first, reading at most budget bytes
// of them as they are stored.
func newFiles(blobs []blob, budget int64) *files {
	limits := newLimits(budget)
	f := &files{limits: limits, budget: budget}
	for _, b := range slices.Backward(blobs) {
		f.layers = append(f.layers, newLayer(b, limits))
	}
	return f
}

// spent is how much of the layers was read, unless that is counted elsewhere.
func (f *files) spent() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counted {
		return 0
	}
	return f.budget - f.limits.compressed
}

func (f *files) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.layers {
		l.close()
	}
}

// rootDir is a directory in every image; no layer is read to know it.
var rootDir = &node{path: ".", implicit: true, header: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}}

// lookup finds what stands at a path, no link followed.
func (f *files) lookup(name string) (*node, error) {
	if name == "." {
		return rootDir, nil
	}
	return f.below(0, name)
}

// below looks in the layers from the given one down.
func (f *files) below(from int, name string) (*node, error) {
	var implicit *node
	for _, l := range f.layers[from:] {
		n, err := l.find(name)
		if n != nil && !n.implicit {
			if implicit != nil && n.header.Typeflag != tar.TypeDir {
				// Its files are at the far end of a link: engines differ here.
				return nil, fmt.Errorf("%s is a directory in one layer and none in a lower one: %w", name, facts.ErrNotExamined)
			}
			return n, nil
		}
		if implicit == nil {
			implicit = n
		}
		if n == nil && err != nil {
			return nil, unexamined(err)
		}
		if n != nil {
			if err := l.index(); err != nil {
				break // it is a directory; its mode remains a guess
			}
		}
		if l.hides(name) {
			break
		}
	}
	if implicit != nil {
		return implicit, nil
	}
	return nil, fs.ErrNotExist
}

// unexamined makes every reason why a layer could not be read the same kind of
// answer: the path may or may not be there.
func unexamined(err error) error {
	if errors.Is(err, facts.ErrNotExamined) {
		return err
	}
	return &notExaminedError{err}
}

// notExaminedError is a layer that could not be read.
type notExaminedError struct{ err error }

func (e *notExaminedError) Error() string   { return e.err.Error() }
func (e *notExaminedError) Unwrap() []error { return []error{facts.ErrNotExamined, e.err} }

// walk resolves a path inside the root, following links.
func (f *files) walk(name string, last bool) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	rest, links := name, 0
	at := rootDir
	var err error
	for rest != "." && rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if part == "" || part == "." {
			continue
		}
		if at.header.Typeflag != tar.TypeDir {
			return nil, fs.ErrNotExist // ENOTDIR to Linux: nothing is there
		}
		parent := at.path
		if at, err = f.lookup(clean(path.Join("/", parent, part))); err != nil {
			return nil, err
		}
		if at.header.Typeflag != tar.TypeSymlink || (!last && strings.Trim(rest, "/") == "") {
			continue
		}
		if links++; links > maxLinks {
			return nil, errLinks
		}
		target := at.header.Linkname
		if path.IsAbs(target) {
			parent = "."
		}
		if at, err = f.lookup(parent); err != nil {
			return nil, err
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// inode follows hard links to the entry that has the content.
func (f *files) inode(n *node) (*node, error) {
	for range maxLinks {
		if n.header.Typeflag != tar.TypeLink {
			return n, nil
		}
		from := slices.Index(f.layers, n.layer)
		target, err := f.below(from, n.link)
		if target == n {
			return nil, errLinks
		}
		if err != nil {
			return nil, err
		}
		n = target
	}
	return nil, errLinks
}

func (f *files) find(op, name string, last bool) (*node, *node, error) {
	at, err := f.walk(name, last)
	if err != nil {
		return nil, nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	inode, err := f.inode(at)
	if err != nil {
		return nil, nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return at, inode, nil
}

// Stat implements fs.StatFS.
func (f *files) Stat(name string) (fs.FileInfo, error) { return f.info("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (f *files) Lstat(name string) (fs.FileInfo, error) { return f.info("lstat", name, false) }

func (f *files) info(op, name string, follow bool) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, inode, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return info{name: path.Base(name), node: inode}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (f *files) ReadLink(name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if at.header.Typeflag != tar.TypeSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return at.header.Linkname, nil
}

// ReadFile implements fs.ReadFileFS for files of at most 1 MiB.
func (f *files) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, inode, err := f.find("read", name, true)
	if err != nil {
		return nil, err
	}
	if inode.header.Typeflag != tar.TypeReg {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if err := f.fill(inode, inode.header.Size); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return slices.Clone(inode.content), nil
}

// fill makes the first want bytes of a file be there: from where its layer is
// being read just now, else by reading the layer once more.
func (f *files) fill(n *node, want int64) error {
	want = min(want, n.header.Size)
	if int64(len(n.content)) >= want {
		return nil
	}
	if want > keepBytes {
		return errTooLarge
	}
	l := n.layer
	if l.stream != nil && l.next == n.ordinal+1 {
		if err := n.read(l.stream.tar, want); err == nil {
			return nil
		}
	}
	return l.reread(n)
}

// reread reads the layer from its start to one entry.
func (l *layer) reread(n *node) error {
	s, err := l.openStream()
	if err != nil {
		return unexamined(err)
	}
	defer s.close()
	if err := s.skip(n.ordinal + 1); err != nil {
		return unexamined(err)
	}
	n.content = nil
	if l.remember != nil {
		l.remember.more = true
	}
	if err := n.read(s.tar, min(n.header.Size, keepBytes)); err != nil {
		return unexamined(err)
	}
	return nil
}
