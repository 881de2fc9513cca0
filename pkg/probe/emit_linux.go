package probe

import (
	"github.com/imglint/imglint/pkg/facts"
	"golang.org/x/sys/unix"
)

// emitter writes frames to the program's stdout. Times count from base.
type emitter struct {
	fd    int
	nonce string
	base  instant
}

func (e *emitter) since(t instant) facts.Millis {
	return facts.Millis(max(t-e.base, 0) / millisecond)
}

// emit writes one frame. There is nobody to tell of an error: stdout is where
// one would tell.
func (e *emitter) emit(t instant, event facts.Event) {
	event.T = e.since(t)
	frame := Frame(e.nonce, event)
	for len(frame) > 0 {
		n, err := unix.Write(e.fd, frame)
		switch err {
		case nil:
			frame = frame[n:]
		case unix.EINTR:
		case unix.EAGAIN: // the program made its stdout non-blocking
			wait := []unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLOUT}}
			if _, err := unix.Poll(wait, 1000); err != nil && err != unix.EINTR {
				return
			}
		default:
			return
		}
	}
}
