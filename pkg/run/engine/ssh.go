package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// sshPatience is what an operation is given on top of its deadline when the
// engine is reached by ssh: each connection to it is a login of its own.
const sshPatience = 15 * time.Second

func overSSH(host string) bool { return strings.HasPrefix(host, "ssh://") }

// patience is the time that an operation may take.
func patience(host string, o op) time.Duration {
	if overSSH(host) {
		return deadlines[o] + sshPatience
	}
	return deadlines[o]
}

// heard keeps what ssh wrote before it ended badly: the Docker client drops
// that when it looks like a socket that is not there.
type heard struct{ last atomic.Pointer[error] }

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// listen makes the dialer's connections tell.
func (h *heard) listen(dial dialer) dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &heardConn{conn, h}, nil
	}
}

// add puts what was heard since the last time behind an error.
func (h *heard) add(err error) error {
	last := h.last.Swap(nil)
	if err == nil || last == nil || sshWords(err) != "" {
		return err
	}
	return fmt.Errorf("%w: %w", err, *last)
}

type heardConn struct {
	net.Conn
	heard *heard
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && sshWords(err) != "" {
		c.heard.last.Store(&err)
	}
	return n, err
}

// CloseWrite ends one direction, as attaching needs it.
func (c *heardConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// sshFault says why an engine cannot be reached by ssh; nil for other errors.
func sshFault(host string, o op, err error) *Error {
	if !overSSH(host) {
		return nil
	}
	e := &Error{Kind: KindNoEngine, Host: host, Op: string(o), Err: err}
	words := sshWords(err)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		e.Text = fmt.Sprintf("cannot reach the engine at %s: there is no ssh command here, install an ssh client", host)
	case words == "":
		return nil
	case o == "ping":
		e.Text = fmt.Sprintf("cannot reach the engine at %s: ssh said %q; see that `docker --host %s version` works", host, words, host)
	default:
		e.Kind = KindLost
		e.Text = fmt.Sprintf("lost the engine at %s during %q: ssh said %q", host, string(o), words)
	}
	return e
}

// sshWords is the last thing that ssh, or docker behind it, wrote before it
// ended. Before it stand banners and the frame of a warning.
func sshWords(err error) string {
	_, written, found := strings.Cut(err.Error(), ": stderr=")
	if !found {
		return ""
	}
	var last string
	for line := range strings.Lines(written) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	if last == "" {
		return "nothing, and ended"
	}
	return last[:min(len(last), 300)]
}
