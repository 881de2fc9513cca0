package probe

import (
	"math"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// instant is a reading of CLOCK_MONOTONIC in nanoseconds: the one clock that
// processes share.
type instant int64

const (
	never       = instant(math.MaxInt64)
	millisecond = instant(1e6)
	second      = 1000 * millisecond
)

func clock() instant {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // cannot happen: the clock always exists
	}
	return instant(t.Nano())
}

// poll waits for one of the descriptors. It hides the wait from Go's scheduler,
// which would hand the only processor over and take it back each time: that
// costs five times as much as everything the observer does.
func poll(fds []unix.PollFd, timeout instant) (ready bool) {
	limit := unix.NsecToTimespec(int64(timeout))
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))),
		uintptr(len(fds)), uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	return errno == 0 && n > 0
}

// maxProcFile bounds what is read of one file of /proc.
const maxProcFile = 1 << 20

// readFile appends a file's content to buf.
func readFile(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return buf, err
	}
	defer unix.Close(fd)
	for len(buf) < maxProcFile {
		if cap(buf)-len(buf) < 1024 {
			buf = append(buf, make([]byte, 4096)...)[:len(buf)]
		}
		n, err := receive(fd, buf[len(buf):cap(buf)])
		if n <= 0 || err != nil {
			return buf, err
		}
		buf = buf[:len(buf)+n]
	}
	return buf, nil
}

// readLink returns "" for what cannot be read.
func readLink(path string) string {
	var buf [4096]byte
	n, err := unix.Readlink(path, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// names lists a directory. It is a view of what could be read.
func names(path string) ([]string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return entries(fd, math.MaxInt)
}

// entries lists an open directory until it has more than limit names.
func entries(fd, limit int) (list []string, err error) {
	var buf [8192]byte
	for len(list) <= limit {
		n, err := unix.ReadDirent(fd, buf[:])
		if n <= 0 || err != nil {
			return list, err
		}
		_, _, list = unix.ParseDirent(buf[:n], -1, list)
	}
	return list, nil
}

// pids lists the numeric names of /proc.
func pids() []int {
	list, err := names("/proc")
	if err != nil {
		return nil
	}
	var all []int
	for _, name := range list {
		if pid, err := strconv.Atoi(name); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// errnoName returns "ENOENT" and the like.
func errnoName(err error) string {
	if errno, ok := err.(unix.Errno); ok {
		if name := unix.ErrnoName(errno); name != "" {
			return name
		}
		return "errno " + strconv.Itoa(int(errno))
	}
	return err.Error()
}
