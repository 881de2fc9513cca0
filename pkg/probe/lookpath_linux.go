package probe

import (
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// lookPath finds a program as runc does, which is as os/exec does: a name with
// a slash is taken as it is, others are sought along PATH, and one found in a
// directory that PATH names relatively is refused. The path returned with an
// error is the file that was refused, or the name.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	denied := ""
	path, _ := syscall.Getenv("PATH")
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		switch err := executable(file); {
		case err == nil && filepath.IsAbs(file):
			return file, nil
		case err == nil:
			return file, unix.ENOENT
		case err == unix.EACCES && denied == "":
			denied = file
		}
	}
	if denied != "" {
		return denied, unix.EACCES
	}
	return name, unix.ENOENT
}

func executable(file string) error {
	var info unix.Stat_t
	if err := unix.Stat(file, &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	err := unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
	if err == unix.ENOSYS || err == unix.EPERM { // an old seccomp profile
		if info.Mode&0o111 == 0 {
			return unix.EACCES
		}
		return nil
	}
	return err
}
