package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/imglint/imglint/pkg/facts"
)

// stream is an opened layer.
type stream struct {
	raw    io.Closer
	unzip  func()
	source io.Reader // the tar's bytes
	tar    *tar.Reader
}

func newStream(raw io.ReadCloser, l *limits) (*stream, error) {
	compressed := bufio.NewReader(&limited{r: raw, left: &l.compressed})
	magic, err := compressed.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	s := &stream{raw: raw, unzip: func() {}, source: compressed}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(compressed)
		if err != nil {
			return nil, err
		}
		s.source = z
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(compressed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		s.source, s.unzip = z, z.Close
	}
	s.source = &limited{r: s.source, left: &l.expanded}
	s.tar = tar.NewReader(s.source)
	return s, nil
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
