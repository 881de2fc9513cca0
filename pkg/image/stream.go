package image

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/imglint/imglint/pkg/facts"
)

// stream is an opened layer.
type stream struct {
	raw    io.Closer
	unzip  func()
	source io.Reader // the tar's bytes
	tar    *tar.Reader
	sum    hash.Hash // of the tar as far as it was read; nil: not asked for
}

func newStream(raw io.ReadCloser, l *limits, sum bool) (*stream, error) {
	compressed := &limited{r: raw, left: &l.compressed}
	if seeker, ok := raw.(io.Seeker); ok && isPlain(raw, seeker) {
		return &stream{raw: raw, unzip: func() {}, source: compressed, tar: tar.NewReader(skipping{compressed, seeker})}, nil
	}
	source, unzip, err := unpack(compressed)
	if err != nil {
		return nil, err
	}
	s := &stream{raw: raw, unzip: unzip, source: &limited{r: source, left: &l.expanded}}
	if sum {
		s.sum = sha256.New()
		s.source = io.TeeReader(s.source, s.sum)
	}
	s.tar = tar.NewReader(s.source)
	return s, nil
}

// skipping is a stored tar without compression, whose contents are passed over
// without being read.
type skipping struct {
	io.Reader
	io.Seeker
}

// isPlain looks at the first bytes and goes back to them.
func isPlain(r io.Reader, seeker io.Seeker) bool {
	head := make([]byte, 4)
	n, _ := io.ReadFull(r, head) // what cannot be read shows again
	_, err := seeker.Seek(0, io.SeekStart)
	return err == nil && sniff(head[:n]) == plain
}

// unpacked opens the layer without its compression.
func (b blob) unpacked() (io.ReadCloser, error) {
	raw, err := b.open()
	if err != nil {
		return nil, err
	}
	source, unzip, err := unpack(raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return &unpacking{Reader: source, unzip: unzip, raw: raw}, nil
}

// unpacking is an open layer without its compression.
type unpacking struct {
	io.Reader
	unzip func()
	raw   io.Closer
}

// Close implements io.Closer.
func (u *unpacking) Close() error {
	u.unzip()
	return u.raw.Close()
}

// skip passes over the first n entries.
func (s *stream) skip(n int) error {
	for range n {
		if _, err := s.tar.Next(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) close() {
	s.unzip()
	_ = s.raw.Close() // nothing was written
}

// limited ends a reader when the shared allowance is used up.
type limited struct {
	r    io.Reader
	left *int64
}

// errBudget is facts.ErrNotExamined with its reason.
var errBudget = fmt.Errorf("the layers are larger than what may be read: %w", facts.ErrNotExamined)

func (l *limited) Read(p []byte) (int, error) {
	if *l.left <= 0 {
		return 0, errBudget
	}
	n, err := l.r.Read(p[:min(int64(len(p)), *l.left)])
	*l.left -= int64(n)
	return n, err
}
