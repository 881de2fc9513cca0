package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
)

// maxMembers bounds the index of an archive. An image archive has a few
// members for each layer; one of a root file system has some 50,000.
const maxMembers = 200_000

// archive is a tar whose members are read where they stand.
type archive struct {
	r       io.ReaderAt
	members map[string]member
}

// member is a file of an archive, or a link to one: docker save before engine
// 25 stores a layer that occurs twice as a link to the first.
type member struct {
	offset, size int64
	link         string
}

// indexArchive reads the headers of a tar and passes over the contents.
func indexArchive(r readerAtCloser) (*archive, error) {
	a := &archive{r: r, members: map[string]member{}}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		header, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return a, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("it is empty")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, errors.New("it is cut off: the archive ends in the middle of a file")
		case errors.Is(err, tar.ErrHeader) && n == 0:
			return nil, errors.New("it is no tar archive")
		case err != nil:
			return nil, fmt.Errorf("it is a damaged tar archive: %w", err)
		case n >= maxMembers:
			return nil, fmt.Errorf("it is not an image: the archive has more than %d files", maxMembers)
		}
		if err := a.add(header, r); err != nil {
			return nil, err
		}
	}
}

// add files a member. Sparse ones, whose contents are not in one piece, are in
// no image archive.
func (a *archive) add(h *tar.Header, r io.Seeker) error {
	name := clean(h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return nil
			}
		}
		offset, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		a.members[name] = member{offset: offset, size: h.Size}
	case tar.TypeLink:
		a.members[name] = member{link: clean(h.Linkname)}
	case tar.TypeSymlink:
		if !path.IsAbs(h.Linkname) {
			a.members[name] = member{link: clean(path.Join(path.Dir(name), h.Linkname))}
		}
	}
	return nil
}

// Open implements fs.FS.
func (a *archive) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	m, ok := a.members[name]
	for hops := 0; ok && m.link != ""; hops++ {
		if hops == maxLinks {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errLinks}
		}
		m, ok = a.members[m.link]
	}
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &section{SectionReader: io.NewSectionReader(a.r, m.offset, m.size), name: path.Base(name)}, nil
}

// section is an open member.
type section struct {
	*io.SectionReader
	name string
}

// Close implements fs.File.
func (s *section) Close() error { return nil }

// Stat implements fs.File.
func (s *section) Stat() (fs.FileInfo, error) { return s, nil }

// Name implements fs.FileInfo.
func (s *section) Name() string { return s.name }

// Mode implements fs.FileInfo.
func (s *section) Mode() fs.FileMode { return 0o444 }

// ModTime implements fs.FileInfo.
func (s *section) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (s *section) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (s *section) Sys() any { return nil }
