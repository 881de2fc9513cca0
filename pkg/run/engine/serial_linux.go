package engine

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// claim takes a name in the machine's abstract socket space, which the kernel
// frees when its holder ends, however it ends. It reports whether somebody
// else has it; where names cannot be taken at all it lets everybody pass.
func claim(name string) (io.Closer, bool) {
	held, err := net.Listen("unix", "@"+name)
	if err != nil {
		return nil, errors.Is(err, syscall.EADDRINUSE)
	}
	return held, false
}
