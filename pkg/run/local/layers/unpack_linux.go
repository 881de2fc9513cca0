package layers

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/probe/cage"
)

// info is what is kept about an unpacked layer.
type info struct {
	DiffID string       `json:"diffID"`
	Bytes  int64        `json:"bytes"`
	Files  int          `json:"files"`
	Owners []cage.Owner `json:"owners,omitempty"` // that the files do not have on disk
	// Devices were left out: nothing may make them, and runs get their own.
	Devices int `json:"devices,omitempty"`
}

// unpacker unpacks one layer into an empty directory.
type unpacker struct {
	tree   tree
	limits Limits
	owned  bool // files get their owners; otherwise these are noted
	info   info
	dirs   []dirTimes
}

// dirTimes is what a directory gets when nothing is put into it any more.
type dirTimes struct {
	name   string
	header *tar.Header
}

// unpack unpacks a tar into an empty directory, and returns what it learned.
// Nothing outside the directory is ever touched.
func unpack(r io.Reader, dir string, owned bool, as *User, limits Limits) (info, error) {
	plain, err := decompress(r)
	if err != nil {
		return info{}, err
	}
	defer plain.Close()
	t, err := openTree(dir, owned)
	if err != nil {
		return info{}, err
	}
	t.as = as
	defer t.close()
	u := &unpacker{tree: t, limits: limits, owned: owned}
	hash := sha256.New()
	whole := io.TeeReader(plain, hash)
	if err := u.entries(tar.NewReader(whole)); err != nil {
		return info{}, err
	}
	if err := u.finish(); err != nil {
		return info{}, err
	}
	// What follows the tar belongs to the digest.
	if _, err := io.Copy(io.Discard, io.LimitReader(whole, limits.Bytes)); err != nil {
		return info{}, fmt.Errorf("read layer: %w", err)
	}
	u.info.DiffID = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	return u.info, nil
}

// decompress recognises how a tar is compressed.
func decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read layer: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("read layer: %w", err)
		}
		return z, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, fmt.Errorf("read layer: %w", err)
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

func (u *unpacker) entries(r *tar.Reader) error {
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read layer: %w", err)
		}
		if u.info.Files++; u.info.Files > u.limits.Entries {
			return fmt.Errorf("%w: it has more than %d files", ErrTooLarge, u.limits.Entries)
		}
		if err := u.entry(header, r); err != nil {
			return fmt.Errorf("unpack %q: %w", header.Name, err)
		}
	}
}

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	reserved = ".wh..wh."
)

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean("/" + h.Name)
	base := path.Base(name)
	switch {
	case name == "/":
		return nil
	case base == opaque:
		return u.tree.opaque(path.Dir(name))
	case strings.HasPrefix(base, reserved):
		return nil
	case strings.HasPrefix(base, whiteout):
		return u.tree.whiteout(path.Join(path.Dir(name), strings.TrimPrefix(base, whiteout)))
	}
	switch h.Typeflag {
	case tar.TypeDir:
		u.dirs = append(u.dirs, dirTimes{name, h})
		return u.own(name, h, u.tree.dir(name))
	case tar.TypeReg:
		return u.own(name, h, u.file(name, h, content))
	case tar.TypeSymlink:
		return u.own(name, h, u.tree.symlink(name, h))
	case tar.TypeLink:
		return u.tree.link(name, path.Clean("/"+h.Linkname))
	case tar.TypeFifo:
		return u.own(name, h, u.tree.fifo(name, h))
	case tar.TypeChar, tar.TypeBlock:
		u.info.Devices++
		return nil
	}
	return fmt.Errorf("entry of the unknown type %q", h.Typeflag)
}

// own notes the owner of what was unpacked where the file does not have it.
func (u *unpacker) own(name string, h *tar.Header, err error) error {
	if err != nil || u.owned || h.Uid == 0 && h.Gid == 0 {
		return err
	}
	u.info.Owners = append(u.info.Owners, cage.Owner{Path: name, UID: h.Uid, GID: h.Gid})
	return nil
}

func (u *unpacker) file(name string, h *tar.Header, content io.Reader) error {
	f, err := u.tree.create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(content, u.limits.Bytes-u.info.Bytes+1))
	if u.info.Bytes += n; u.info.Bytes > u.limits.Bytes {
		return fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, u.limits.Bytes)
	}
	if err != nil {
		return err
	}
	if err := u.tree.finish(int(f.Fd()), h); err != nil {
		return err
	}
	return f.Close()
}

// finish gives directories their modes and times, the deepest first: some may
// not be written to any more afterwards.
func (u *unpacker) finish() error {
	for i := len(u.dirs) - 1; i >= 0; i-- {
		d := u.dirs[i]
		fd, err := u.tree.open(d.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) ||
			errors.Is(err, unix.EACCES) {
			continue // replaced by a later entry, or listed twice
		}
		if err != nil {
			return fmt.Errorf("finish %q: %w", d.name, err)
		}
		err = u.tree.finish(fd, d.header)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("finish %q: %w", d.name, err)
		}
	}
	return nil
}
