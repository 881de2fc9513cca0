package sealed

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// What a child may use. The runtime reserves address space when it starts, so
// the limit is counted from there.
const (
	moreMemory = 512 << 20
	openFiles  = 64 // pipes between the shell's commands
	cpuSeconds = 3
)

// limit takes from this process what a script could misuse.
func limit() error {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fmt.Errorf("read the process's size: %w", err)
	}
	pages, err := strconv.ParseUint(string(bytes.Fields(text)[0]), 10, 64)
	if err != nil {
		return fmt.Errorf("read the process's size: %w", err)
	}
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_AS, pages*uint64(os.Getpagesize()) + moreMemory},
		{unix.RLIMIT_NOFILE, openFiles}, {unix.RLIMIT_CPU, cpuSeconds}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("set limit %d: %w", l.what, err)
		}
	}
	return nil
}
