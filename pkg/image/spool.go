package image

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// DefaultMaxSpoolBytes bounds the copy that is made of a packed or piped
// archive: room for most images, and not for what fills a disk.
const DefaultMaxSpoolBytes = 8 << 30

func (o Options) spoolBytes() int64 {
	if o.MaxSpoolBytes == 0 {
		return DefaultMaxSpoolBytes
	}
	return o.MaxSpoolBytes
}

// compression tells by the first bytes how something is packed.
type compression int

const (
	plain compression = iota
	gzipPacked
	zstdPacked
)

func sniff(head []byte) compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipPacked
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstdPacked
	}
	return plain
}

// isPacked reports whether a file is compressed as a whole.
func isPacked(file io.ReaderAt) (bool, error) {
	head := make([]byte, 4)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return sniff(head[:n]) != plain, nil
}

// unpack returns what is read from r without its compression.
func unpack(r io.Reader) (io.Reader, func(), error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch sniff(head) {
	case gzipPacked:
		z, err := gzip.NewReader(buffered)
		return z, func() {}, err
	case zstdPacked:
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return buffered, func() {}, nil
}

// spooled is a temporary file that is gone when it is closed, and where the
// system allows it already while it is used.
type spooled struct {
	*os.File
	removed bool
}

func newSpooled() (*spooled, error) {
	file, err := os.CreateTemp("", "imglint-*.tar")
	if err != nil {
		return nil, err
	}
	return &spooled{File: file, removed: os.Remove(file.Name()) == nil}, nil
}

// Close closes and removes the file.
func (s *spooled) Close() error {
	err := s.File.Close()
	if s.removed {
		return err
	}
	if gone := os.Remove(s.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// spool copies at most limit unpacked bytes to a temporary file. A reader that
// never ends, such as a terminal, does not hold up a cancelled context.
func spool(ctx context.Context, r io.Reader, limit int64) (*spooled, error) {
	file, err := newSpooled()
	if err != nil {
		return nil, err
	}
	copied := make(chan error, 1)
	go func() { copied <- copyUnpacked(file, r, limit) }()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = context.Cause(ctx) // the copy ends with its next write
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func copyUnpacked(w io.Writer, r io.Reader, limit int64) error {
	source, done, err := unpack(r)
	if err != nil {
		return fmt.Errorf("it cannot be unpacked: %w", err)
	}
	defer done()
	n, err := io.Copy(w, io.LimitReader(source, limit+1))
	switch {
	case n > limit:
		return fmt.Errorf("it is larger than the %d MiB that may be unpacked: unpack it first", limit>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is cut off: the archive ends in the middle of a file")
	case err != nil:
		return fmt.Errorf("it cannot be unpacked: %w", err)
	}
	return nil
}
