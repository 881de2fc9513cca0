package layers

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tree is the directory of a layer. Links in it are followed as if it were the
// root of a file system, so that none leads out of it.
type tree struct {
	root       int
	owned      bool
	as         *User
	opaqueName string // extended attribute of directories that hide lower ones
	last       *lastDir
}

// lastDir is the directory that the entry before was in: mostly the next one's.
type lastDir struct {
	name string
	fd   int
}

func openTree(dir string, owned bool) (tree, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return tree{}, fmt.Errorf("open %s: %w", dir, err)
	}
	return tree{root: fd, owned: owned, opaqueName: opaqueName(owned), last: &lastDir{fd: -1}}, nil
}

// opaqueName is the mark of overlayfs; a user has to mount it with userxattr.
func opaqueName(owned bool) string {
	if owned {
		return "trusted.overlay.opaque"
	}
	return "user.overlay.opaque"
}

func (t tree) close() {
	t.forget()
	unix.Close(t.root)
}

// forget must be called when anything is removed.
func (t tree) forget() {
	if t.last.fd >= 0 {
		unix.Close(t.last.fd)
	}
	*t.last = lastDir{fd: -1}
}

func (t tree) open(name string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(t.root, name, &how)
		if err == unix.ENOSYS {
			return -1, errors.New("running without an engine needs Linux 5.6 or newer (openat2)")
		}
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// parent opens the directory that an entry is in, and makes it if the layer
// did not list it. The descriptor is the tree's.
func (t tree) parent(name string) (int, error) {
	dir := path.Dir(name)
	if t.last.fd >= 0 && t.last.name == dir {
		return t.last.fd, nil
	}
	fd, err := t.mkdirAll(dir)
	if err != nil {
		return -1, err
	}
	t.forget()
	*t.last = lastDir{dir, fd}
	return fd, nil
}

func (t tree) mkdirAll(dir string) (int, error) {
	fd, err := t.open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != unix.ENOENT || dir == "/" {
		return fd, err
	}
	parent, err := t.mkdirAll(path.Dir(dir))
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, path.Base(dir), 0o755); err != nil {
		return -1, err
	}
	if err := unix.Fchmodat(parent, path.Base(dir), 0o755, 0); err != nil { // in spite of the umask
		return -1, err
	}
	return t.open(dir, unix.O_PATH|unix.O_DIRECTORY)
}

// lstat returns the kind of what is there, 0 for nothing, and whether it is a
// whiteout.
func lstat(parent int, base string) (kind uint32, hidden bool, err error) {
	var info unix.Stat_t
	err = unix.Fstatat(parent, base, &info, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT {
		return 0, false, nil
	}
	kind = info.Mode & unix.S_IFMT
	return kind, kind == unix.S_IFCHR && info.Rdev == 0, err
}

// vacate removes what is there: a later entry replaces an earlier one.
func (t tree) vacate(name string) (parent int, err error) {
	if parent, err = t.parent(name); err != nil {
		return -1, err
	}
	base := path.Base(name)
	kind, _, err := lstat(parent, base)
	if kind == 0 || err != nil {
		return parent, err
	}
	if kind == unix.S_IFDIR {
		err = os.RemoveAll("/proc/self/fd/" + strconv.Itoa(parent) + "/" + base)
	} else {
		err = unix.Unlinkat(parent, base, 0)
	}
	if err != nil {
		return -1, err
	}
	t.forget()
	return t.parent(name)
}

func (t tree) dir(name string) error {
	parent, err := t.parent(name)
	if err != nil {
		return err
	}
	kind, hidden, err := lstat(parent, path.Base(name))
	if err != nil || kind == unix.S_IFDIR {
		return err
	}
	if parent, err = t.vacate(name); err != nil {
		return err
	}
	if err := unix.Mkdirat(parent, path.Base(name), 0o755); err != nil || !hidden {
		return err
	}
	return t.opaque(name)
}

func (t tree) create(name string) (*os.File, error) {
	parent, err := t.vacate(name)
	if err != nil {
		return nil, err
	}
	flags := unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_WRONLY | unix.O_CLOEXEC
	fd, err := unix.Openat(parent, path.Base(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (t tree) symlink(name string, h *tar.Header) error {
	parent, err := t.vacate(name)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(h.Linkname, parent, path.Base(name)); err != nil || !t.owned {
		return err
	}
	return unix.Fchownat(parent, path.Base(name), h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (t tree) link(name, to string) error {
	dir, err := t.open(path.Dir(to), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("link to %q: %w", to, err)
	}
	defer unix.Close(dir)
	if name == to {
		return nil
	}
	parent, err := t.vacate(name)
	if err != nil {
		return err
	}
	if err := unix.Linkat(dir, path.Base(to), parent, path.Base(name), 0); err != nil {
		return fmt.Errorf("link to %q: %w", to, err)
	}
	return nil
}

func (t tree) fifo(name string, h *tar.Header) error {
	parent, err := t.vacate(name)
	if err != nil {
		return err
	}
	mode := uint32(h.Mode) & 0o777
	if err := unix.Mknodat(parent, path.Base(name), unix.S_IFIFO|mode, 0); err != nil || !t.owned {
		return err
	}
	return unix.Fchownat(parent, path.Base(name), h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
}

// whiteout hides what lower layers have there. It does not hide what its own
// layer has.
func (t tree) whiteout(name string) error {
	parent, err := t.parent(name)
	if err != nil {
		return err
	}
	switch kind, _, err := lstat(parent, path.Base(name)); {
	case err != nil:
		return err
	case kind == unix.S_IFDIR:
		return t.opaque(name)
	case kind != 0:
		return nil
	}
	return unix.Mknodat(parent, path.Base(name), unix.S_IFCHR, 0)
}

// opaque hides what lower layers have in a directory.
func (t tree) opaque(name string) error {
	fd, err := t.mkdirAll(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setxattr("/proc/self/fd/"+strconv.Itoa(fd), t.opaqueName, []byte("y"), 0)
}

// mode is a file's mode; one that allows the owner what it allows the user,
// where all files have one owner.
func (t tree) mode(h *tar.Header) uint32 {
	mode := uint32(h.Mode) & 0o7777
	switch {
	case t.as == nil || h.Uid == t.as.UID:
		return mode
	case h.Gid == t.as.GID || slices.Contains(t.as.Groups, h.Gid):
		return mode&^0o700 | mode&0o070<<3
	}
	return mode&^0o700 | mode&0o007<<6
}

// finish sets owner, mode, capabilities and times of an open file, in the
// order in which they do not undo each other.
func (t tree) finish(fd int, h *tar.Header) error {
	if t.owned {
		if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
			return fmt.Errorf("change owner: %w", err)
		}
	}
	if err := unix.Fchmod(fd, t.mode(h)); err != nil {
		return fmt.Errorf("change mode: %w", err)
	}
	if value, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok && t.owned {
		if err := unix.Fsetxattr(fd, "security.capability", []byte(value), 0); err != nil {
			return fmt.Errorf("set capabilities: %w", err)
		}
	}
	at := h.ModTime
	if at.Before(time.Unix(0, 0)) {
		at = time.Unix(0, 0)
	}
	stamp := unix.NsecToTimeval(at.UnixNano())
	if err := unix.Futimes(fd, []unix.Timeval{stamp, stamp}); err != nil {
		return fmt.Errorf("change times: %w", err)
	}
	return nil
}
