package cage

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// giving is a call of the chown family, as it is made to a file of its
// container: to the one user there is, so that everything but the new owner is
// as it asked for: also that the file is not there, or on a read-only mount.
type giving struct {
	dir      int // AT_FDCWD: the working directory
	path     string
	noFollow bool
	uid, gid int
}

// give answers a call of the chown family. What cannot be told is success.
func (n *notification) give() unix.Errno {
	host, err := n.process()
	if err != nil {
		return 0
	}
	g, ok := n.giving()
	if !ok {
		return 0
	}
	err = g.make(fmt.Sprintf("/proc/%d", host))
	errno, _ := err.(unix.Errno)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG, unix.EROFS, unix.EBADF:
		return errno
	}
	return 0
}

// process is the number by which /proc knows the caller.
func (n *notification) process() (int, error) {
	fd, err := unix.PidfdOpen(int(n.pid), 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	text, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "Pid:"); ok {
			return strconv.Atoi(strings.TrimSpace(number))
		}
	}
	return 0, unix.ESRCH
}

// giving reads the call's arguments, the path from the caller's memory.
func (n *notification) giving() (g giving, ok bool) {
	a := n.args
	owner := func(i int) int {
		if int32(a[i]) == -1 {
			return -1
		}
		return 0
	}
	g.dir = unix.AT_FDCWD
	switch name := nameOf(n.number); name {
	case "fchown":
		g.dir, g.uid, g.gid = int(int32(a[0])), owner(1), owner(2)
		return g, true
	case "fchownat":
		g.dir, g.uid, g.gid = int(int32(a[0])), owner(2), owner(3)
		g.noFollow = a[4]&unix.AT_SYMLINK_NOFOLLOW != 0
		g.path, ok = n.text(a[1])
		return g, ok && (g.path != "" || a[4]&unix.AT_EMPTY_PATH != 0)
	default:
		g.uid, g.gid, g.noFollow = owner(1), owner(2), name == "lchown"
		g.path, ok = n.text(a[0])
		return g, ok && g.path != ""
	}
}

// text reads a word from the caller's memory, which may end with its page.
func (n *notification) text(at uint64) (string, bool) {
	var word []byte
	for len(word) < unix.PathMax {
		piece := make([]byte, 4096-int(at%4096))
		local := []unix.Iovec{{Base: &piece[0], Len: uint64(len(piece))}}
		got, err := unix.ProcessVMReadv(int(n.pid), local, []unix.RemoteIovec{{Base: uintptr(at), Len: len(piece)}}, 0)
		if err != nil || got == 0 {
			return "", false
		}
		if end := bytes.IndexByte(piece[:got], 0); end >= 0 {
			return string(append(word, piece[:end]...)), true
		}
		word, at = append(word, piece[:got]...), at+uint64(got)
	}
	return "", false
}

// make finds the file as the process would, and gives it away.
func (g giving) make(process string) error {
	base := process + "/cwd"
	if g.dir != unix.AT_FDCWD {
		base = process + "/fd/" + strconv.Itoa(g.dir)
	}
	if g.path == "" {
		if _, err := os.Lstat(base); err != nil {
			return unix.EBADF
		}
		return unix.Fchownat(unix.AT_FDCWD, base, g.uid, g.gid, 0)
	}
	name := g.path
	if !path.IsAbs(name) {
		dir, err := os.Readlink(base)
		if err != nil || !path.IsAbs(dir) {
			return err
		}
		name = dir + "/" + name // not cleaned: what .. leads to is for the kernel to say
	}
	if strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/dev/") {
		return nil // "self" would be another there
	}
	r, err := openRoot(process + "/root")
	if err != nil {
		return nil
	}
	defer unix.Close(r.fd)
	flags := unix.O_PATH
	if g.noFollow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := r.open(name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fchownat(fd, "", g.uid, g.gid, unix.AT_EMPTY_PATH)
}
