package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/imglint/imglint/pkg/facts"
)

// maxDocument bounds an index, manifest or config; those of real images have
// tens of kilobytes.
const maxDocument = 4 << 20

// store holds the parts of an image by name: a directory, or an archive whose
// members are read where they stand.
type store struct {
	files fs.FS
	form  string // for a reader: "directory" or "archive"
	spent spent
	io.Closer
}

// openStore opens what stands at a path.
func openStore(ctx context.Context, name string, o Options) (*store, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		// A root keeps links within the layout from leading out of it.
		root, err := os.OpenRoot(name)
		if err != nil {
			return nil, err
		}
		return &store{files: root.FS(), form: "directory", Closer: root}, nil
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is neither a file nor a directory")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	packed, err := isPacked(file)
	if err != nil || !packed {
		return newArchive(file, err)
	}
	defer file.Close()
	spooled, err := spool(ctx, file, o.spoolBytes())
	return newArchive(spooled, err)
}

// readArchive opens an archive that comes as a stream.
func readArchive(ctx context.Context, r io.Reader, o Options) (*store, error) {
	spooled, err := spool(ctx, r, o.spoolBytes())
	return newArchive(spooled, err)
}

// readerAtCloser is an open file.
type readerAtCloser interface {
	io.ReaderAt
	io.ReadSeeker
	io.Closer
}

// newArchive indexes an open archive, or passes on why it could not be opened.
// The archive is closed when it is none.
func newArchive(file readerAtCloser, err error) (*store, error) {
	if err != nil {
		return nil, err
	}
	index, err := indexArchive(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &store{files: index, form: "archive", Closer: file}, nil
}

// has reports whether the store holds a file.
func (s *store) has(name string) bool {
	info, err := fs.Stat(s.files, name)
	return err == nil && info.Mode().IsRegular()
}

// document reads a small file whole.
func (s *store) document(name string) ([]byte, error) {
	f, err := s.files.Open(name)
	if err != nil {
		return nil, s.missing(name, err)
	}
	defer f.Close()
	data, err := readDocument(f)
	if err != nil {
		return nil, fmt.Errorf("its %s cannot be read: %w", name, err)
	}
	s.spent.bytes.Add(int64(len(data)))
	return data, nil
}

func readDocument(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		err = fmt.Errorf("it has more than %d bytes", maxDocument)
	}
	return data, err
}

func (s *store) missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the %s is incomplete: %s is not in it", s.form, name)
	}
	return fmt.Errorf("its %s cannot be read: %w", name, err)
}

// blob is a layer of the store. One that is not there is not examined, which
// is what layers with a URL of their own and partial copies are.
func (s *store) blob(digest, name string) blob {
	return blob{digest: digest, open: func() (io.ReadCloser, error) {
		f, err := s.files.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", s.missing(name, err), facts.ErrNotExamined)
		}
		return f, nil
	}}
}
