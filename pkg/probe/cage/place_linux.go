package cage

import (
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// root is a directory that is, or will be, the root of a file system. Links in
// it cannot lead out of it.
type root struct{ fd int }

func openRoot(dir string) (root, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return root{}, fmt.Errorf("open %s: %w", dir, err)
	}
	return root{fd}, nil
}

func (r root) open(name string, flags int, mode uint64) (int, error) {
	how := unix.OpenHow{
		Flags: uint64(flags) | unix.O_CLOEXEC, Mode: mode,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(r.fd, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// dir opens a directory, which it makes if it is not there.
func (r root) dir(name string, mode uint32) (int, error) {
	fd, err := r.open(name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != unix.ENOENT || path.Dir(name) == name {
		return fd, err
	}
	parent, err := r.dir(path.Dir(name), 0o755)
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, path.Base(name), mode); err != nil {
		return -1, err
	}
	return r.open(name, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// file opens a file as a place to mount on, and makes it if it is not there.
func (r root) file(name string) (int, error) {
	fd, err := r.open(name, unix.O_PATH, 0)
	if err != unix.ENOENT {
		return fd, err
	}
	parent, err := r.dir(path.Dir(name), 0o755)
	if err != nil {
		return -1, err
	}
	unix.Close(parent)
	return r.open(name, unix.O_RDONLY|unix.O_CREAT, 0o644)
}

// at names an open file where a path is wanted.
func at(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// mountAt mounts a file system on a directory, which it makes.
func (r root) mountAt(kind, name string, flags uintptr, options string) error {
	fd, err := r.dir(name, 0o755)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Mount(kind, at(fd), kind, flags, options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, name, err)
	}
	return nil
}

// bind shows a file or directory of the machine, or of this root, at a place.
func (r root) bind(source, name string, readOnly bool) error {
	var info unix.Stat_t
	if err := unix.Stat(source, &info); err != nil {
		return fmt.Errorf("find %s: %w", source, err)
	}
	open := r.file
	if info.Mode&unix.S_IFMT == unix.S_IFDIR {
		open = func(name string) (int, error) { return r.dir(name, 0o755) }
	}
	fd, err := open(name)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.Mount(source, at(fd), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", source, name, err)
	}
	if readOnly {
		return r.readOnly(name)
	}
	return nil
}

// readOnly makes the mount at a place read-only. Flags that the mount has must
// be kept: in a user namespace they are locked.
func (r root) readOnly(name string) error {
	fd, err := r.open(name, unix.O_PATH, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(fd)
	var info unix.Statfs_t
	if err := unix.Statfs(at(fd), &info); err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	const same = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME
	flags := uintptr(info.Flags)&same | unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY
	// ST_RELATIME and MS_RELATIME differ.
	if info.Flags&unix.ST_RELATIME != 0 {
		flags |= unix.MS_RELATIME
	}
	if err := unix.Mount("", at(fd), "", flags, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", name, err)
	}
	return nil
}
