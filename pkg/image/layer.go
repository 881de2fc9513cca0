package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// headBytes of a program are enough for its shebang or its ELF program headers.
	headBytes = 4 << 10
	// keepBytes bounds what is kept of one file that was asked for.
	keepBytes = 1 << 20
	// keepHeads bounds the heads that are kept of files nobody asked for yet:
	// those of executables and whole small files, so that most questions do
	// not make a layer travel twice.
	keepHeads = 32 << 20
	// maxEntries bounds the index: an image of 1.3 GB has 49,184 entries.
	maxEntries = 1 << 20
	// expansion bounds how much a compressed layer may grow; tars of programs
	// shrink to a third, zeros to a thousandth.
	expansion = 20
)

// blob is a layer as it is stored: a tar, mostly compressed.
type blob struct {
	digest string
	open   func() (io.ReadCloser, error)
}

// layer is the index of one layer. It grows while the tar is read, which
// stops as soon as a question is answered and goes on with the next one.
type layer struct {
	blob     blob
	limits   *limits
	entries  map[string]*node
	children map[string][]string // of each directory, in the tar's order
	// hidden are the paths whose lower versions a whiteout takes away, opaque
	// the directories whose lower contents are gone.
	hidden, opaque map[string]bool

	stream *stream
	next   int   // ordinal of the next entry
	again  bool  // the stream was opened a second time
	done   bool  // the whole layer is indexed
	err    error // why the rest of the layer cannot be indexed

	remember *remembering // nil: nothing is kept of it
}

// limits are shared by the layers of an image.
type limits struct {
	compressed, expanded int64 // bytes that may still be read
	heads                int64 // bytes of heads that may still be kept
	entries              int
}

func newLimits(budget int64) *limits {
	return &limits{compressed: budget, expanded: budget * expansion, heads: keepHeads, entries: maxEntries}
}

// node is one entry of a layer.
type node struct {
	path     string
	header   tar.Header // of an implicit directory only Name and Typeflag
	link     string     // cleaned target of a hard link
	ordinal  int
	layer    *layer
	implicit bool // a directory known only by what is in it
	content  []byte
}

func newLayer(b blob, l *limits) *layer {
	return &layer{
		blob: b, limits: l, entries: map[string]*node{}, children: map[string][]string{},
		hidden: map[string]bool{}, opaque: map[string]bool{},
	}
}

// find looks for a path, reading on until it turns up or the layer ends. The
// error says why the layer could not be read to its end.
func (l *layer) find(name string) (*node, error) {
	for {
		if n := l.entries[name]; n != nil {
			return n, nil
		}
		if l.done || l.err != nil {
			return nil, l.err
		}
		l.step()
	}
}

// index reads to the end of the layer.
func (l *layer) index() error {
	for !l.done && l.err == nil {
		l.step()
	}
	return l.err
}

// step indexes one more entry.
func (l *layer) step() {
	if l.stream == nil {
		if l.recall(); l.done {
			return
		}
		if l.err = l.open(); l.err != nil {
			return
		}
	}
	header, err := l.stream.tar.Next()
	if err != nil && l.resume(err) {
		header, err = l.stream.tar.Next()
	}
	switch {
	case errors.Is(err, io.EOF):
		// What follows the tar belongs to the digest that is checked at the end.
		if _, err := io.Copy(io.Discard, l.stream.source); err != nil {
			l.fail(err)
			return
		}
		l.done = true
		l.prove()
		l.close()
		return
	case err != nil:
		l.fail(err)
		return
	}
	l.limits.entries--
	if l.limits.entries < 0 {
		l.fail(fmt.Errorf("the image has more than %d files: %w", maxEntries, facts.ErrNotExamined))
		return
	}
	l.add(header)
	l.next++
}

// resume opens the stream once more where it broke off: a registry ends a
// connection that rests between two questions. It reports whether it could.
func (l *layer) resume(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, facts.ErrNotExamined) || l.again || l.next == 0 {
		return false
	}
	l.again = true
	s, err := l.openStream()
	if err != nil {
		return false
	}
	if err := s.skip(l.next); err != nil {
		s.close()
		return false
	}
	l.close()
	l.stream = s
	return true
}

// open starts the stream.
func (l *layer) open() error {
	s, err := l.openStream()
	if err != nil {
		return fmt.Errorf("read layer %s: %w", l.blob.digest, err)
	}
	l.stream = s
	return nil
}

func (l *layer) openStream() (*stream, error) {
	raw, err := l.blob.open()
	if err != nil {
		return nil, err
	}
	s, err := newStream(raw, l.limits, l.remember != nil)
	if err != nil {
		_ = raw.Close() // the first error counts
		return nil, err
	}
	return s, nil
}

func (l *layer) fail(err error) {
	l.close()
	l.err = fmt.Errorf("read layer %s: %w", l.blob.digest, err)
}

func (l *layer) close() {
	if l.stream != nil {
		l.stream.close()
		l.stream = nil
	}
}

// add indexes an entry, whiteouts included.
func (l *layer) add(h *tar.Header) {
	name := clean(h.Name)
	dir, base := path.Dir(name), path.Base(name)
	switch {
	case base == ".wh..wh..opq":
		l.opaque[dir] = true
		return
	case strings.HasPrefix(base, ".wh..wh."):
		return // aufs keeps its own things under such names
	case strings.HasPrefix(base, ".wh."):
		l.hidden[path.Join(dir, strings.TrimPrefix(base, ".wh."))] = true
		return
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		return
	}
	n := &node{path: name, header: *h, ordinal: l.next, layer: l}
	n.header.PAXRecords, n.header.Xattrs = nil, nil //nolint:staticcheck // Xattrs: old, and not kept
	if h.Typeflag == tar.TypeLink {
		n.link = clean(h.Linkname)
	}
	l.keep(n)
	l.put(n)
}

// keep reads the head of a file that is likely to be asked for.
func (l *layer) keep(n *node) {
	size := n.header.Size
	if n.header.Typeflag != tar.TypeReg || (size > headBytes && n.header.Mode&0o111 == 0) {
		return
	}
	size = min(size, headBytes)
	if l.limits.heads < size {
		return
	}
	l.limits.heads -= size
	n.content = make([]byte, 0, size)
	// A broken tar shows at the next entry.
	_ = n.read(l.stream.tar, size)
}

// put files an entry and the directories above it.
func (l *layer) put(n *node) {
	if old := l.entries[n.path]; old == nil && n.path != "." {
		dir := path.Dir(n.path)
		l.children[dir] = append(l.children[dir], path.Base(n.path))
	}
	l.entries[n.path] = n
	for dir := path.Dir(n.path); n.path != "." && l.entries[dir] == nil; dir = path.Dir(dir) {
		l.entries[dir] = &node{path: dir, layer: l, implicit: true, header: tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}}
		if dir == "." {
			break
		}
		l.children[path.Dir(dir)] = append(l.children[path.Dir(dir)], path.Base(dir))
	}
}

// hides reports whether the layer takes away what lower layers have at name.
// It is only certain once the layer is done.
func (l *layer) hides(name string) bool {
	if l.hidden[name] {
		return true
	}
	for dir := name; dir != "."; {
		dir = path.Dir(dir)
		if l.hidden[dir] || l.opaque[dir] {
			return true
		}
		if n := l.entries[dir]; n != nil && n.header.Typeflag != tar.TypeDir {
			return true
		}
	}
	return false
}

// read appends to the kept content until it holds want bytes.
func (n *node) read(r io.Reader, want int64) error {
	missing := want - int64(len(n.content))
	if missing <= 0 {
		return nil
	}
	var b bytes.Buffer
	_, err := io.CopyN(&b, r, missing)
	n.content = append(n.content, b.Bytes()...)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// clean turns a name of a tar into a path of io/fs: no leading slash, no way
// out of the root.
func clean(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name == "" {
		return "."
	}
	return name
}
