package probe

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxEntries bounds what one "readdir" answers.
const maxEntries = 1 << 16

// answerFile answers one request about this process's root. Nothing in a
// hostile image can make it wait: only regular files and directories are opened.
func answerFile(r FileRequest) FileReply {
	reply, err := FileReply{}, error(unix.EINVAL)
	switch {
	case !strings.HasPrefix(r.Path, "/"):
	case hidden(path.Clean(r.Path)):
		err = unix.ENOENT
	case r.Op == "stat":
		reply.Info, err = fileInfo(r.Path, 0)
	case r.Op == "lstat":
		reply.Info, err = fileInfo(r.Path, unix.O_NOFOLLOW)
	case r.Op == "readlink":
		err = readLinkOf(r.Path, &reply)
	case r.Op == "read":
		err = readRegular(r.Path, r.Max, &reply)
	case r.Op == "readdir":
		err = readDirectory(r.Path, r.Max, &reply)
	}
	if err != nil {
		return FileReply{Errno: errnoName(err)}
	}
	return reply
}

// hidden reports paths that are not the image's.
func hidden(clean string) bool {
	for _, root := range []string{MountPoint, "/proc", "/sys"} {
		if clean == root || strings.HasPrefix(clean, root+"/") {
			return true
		}
	}
	return false
}

// locate opens a file without opening what it is: O_PATH neither waits for a
// FIFO nor wakes a device. A link that leads to the kernel's own file systems
// leads nowhere.
func locate(name string, flags int) (fd int, info unix.Stat_t, err error) {
	fd, err = unix.Open(name, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, info, err
	}
	var system unix.Statfs_t
	if err = unix.Fstatfs(fd, &system); err == nil {
		err = unix.Fstat(fd, &info)
	}
	if kind := uint32(system.Type); kind == unix.PROC_SUPER_MAGIC || kind == unix.SYSFS_MAGIC {
		err = unix.ENOENT
	}
	if err != nil {
		unix.Close(fd)
		return -1, info, err
	}
	return fd, info, nil
}

func fileInfo(name string, flags int) (*FileInfo, error) {
	fd, info, err := locate(name, flags)
	if err != nil {
		return nil, err
	}
	unix.Close(fd)
	return describeFile(path.Base(name), info), nil
}

func readLinkOf(name string, reply *FileReply) error {
	fd, _, err := locate(name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var buf [4096]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	if err == unix.ENOENT { // what the kernel says of an O_PATH of no link
		err = unix.EINVAL
	}
	if err != nil {
		return err
	}
	reply.Link = string(buf[:n])
	return nil
}

// open opens what locate has found to be of the wanted kind, and looks again.
func open(name string, kind uint32, flags int) (fd int, info unix.Stat_t, err error) {
	fd, info, err = locate(name, 0)
	if err != nil {
		return -1, info, err
	}
	unix.Close(fd)
	if err := wanted(info, kind); err != nil {
		return -1, info, err
	}
	fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY|flags, 0)
	if err != nil {
		return -1, info, err
	}
	if err = unix.Fstat(fd, &info); err == nil {
		err = wanted(info, kind)
	}
	if err != nil {
		unix.Close(fd)
		return -1, info, err
	}
	return fd, info, nil
}

// wanted returns why a file is not of the kind.
func wanted(info unix.Stat_t, kind uint32) error {
	switch is := info.Mode & unix.S_IFMT; {
	case is == kind:
		return nil
	case kind == unix.S_IFDIR:
		return unix.ENOTDIR
	case is == unix.S_IFDIR:
		return unix.EISDIR
	}
	return unix.EINVAL
}

func readRegular(name string, limit int64, reply *FileReply) error {
	fd, info, err := open(name, unix.S_IFREG, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if limit <= 0 || limit > MaxRead {
		limit = MaxRead
	}
	content := make([]byte, min(info.Size, limit)+1)
	size := 0
	for size < len(content) {
		n, err := receive(fd, content[size:])
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		size += n
	}
	reply.More = int64(size) > min(info.Size, limit) || info.Size > limit
	reply.Content = content[:min(int64(size), limit)]
	reply.Info = describeFile(path.Base(name), info)
	return nil
}

func readDirectory(name string, limit int64, reply *FileReply) error {
	fd, _, err := open(name, unix.S_IFDIR, unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if limit <= 0 || limit > maxEntries {
		limit = maxEntries
	}
	list, err := entries(fd, maxEntries)
	if err != nil {
		return err
	}
	slices.Sort(list)
	for _, entry := range list {
		var info unix.Stat_t
		if hidden(path.Join(path.Clean(name), entry)) ||
			unix.Fstatat(fd, entry, &info, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		if reply.More = int64(len(reply.Entries)) >= limit; reply.More {
			break
		}
		reply.Entries = append(reply.Entries, *describeFile(entry, info))
	}
	return nil
}

func describeFile(name string, info unix.Stat_t) *FileInfo {
	return &FileInfo{
		Name: name, Size: info.Size, Mode: uint32(fileMode(info.Mode)),
		UID: int(info.Uid), GID: int(info.Gid), Time: int64(info.Mtim.Sec),
	}
}

// fileMode translates the kernel's bits as package os does.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & unix.S_IFMT {
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	}
	for bit, is := range map[uint32]fs.FileMode{
		unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
	} {
		if mode&bit != 0 {
			m |= is
		}
	}
	return m
}
