package probe

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
)

// Nobody accepts: the observer's own question waits, and is told.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := watch(t, RoleInject, testConfig, setup{}, self(roleServe, "deaf", "tcp4", "0.0.0.0:8000")...)
	e := w.until("the queue", func(e facts.Event) bool { return e.Kind == facts.EventQueue })
	if s := e.Socket; s.Port != 8000 || s.Queue < 1 || s.PID == 0 || e.T < 1000 {
		t.Errorf("told at %d ms: %+v", e.T, s)
	}
	w.until("a longer queue", func(later facts.Event) bool {
		return later.Kind == facts.EventQueue && later.Socket.Queue > e.Socket.Queue
	})
}

func TestOverdue(t *testing.T) {
	t.Parallel()
	type look struct {
		at    instant // in tenths of a second
		queue uint32
		want  bool
	}
	tests := map[string][]look{
		"empty":               {{1, 0, false}, {20, 0, false}},
		"taken in time":       {{1, 1, false}, {9, 1, false}, {10, 0, false}, {12, 1, false}, {20, 1, false}},
		"waits":               {{1, 1, false}, {11, 1, true}, {30, 1, false}},
		"grows":               {{1, 1, false}, {11, 1, true}, {12, 2, false}, {21, 2, true}},
		"taken late":          {{1, 1, false}, {11, 1, true}, {21, 0, true}, {40, 0, false}},
		"taken, and one more": {{1, 1, false}, {11, 1, true}, {21, 0, true}, {31, 1, false}, {41, 1, true}},
	}
	for name, looks := range tests {
		var w waiting
		for _, l := range looks {
			if got := w.overdue(l.queue, l.at*second/10); got != l.want {
				t.Errorf("%s: at %d, %d waiting: %v", name, l.at, l.queue, got)
			}
		}
	}
	var w waiting
	told := 0
	for i := range 100 {
		if w.overdue(uint32(1+i), instant(i)*second) {
			told++
		}
	}
	if told != maxQueueTold {
		t.Errorf("told %d times", told)
	}
}

// A program that waits for an answer to its connection is told of, with the
// address, and once.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	w := watch(t, RoleInject, testConfig, setup{}, self(roleServe, "dials", "tcp4", "127.0.0.1:5432")...)
	e := w.until("the address", func(e facts.Event) bool { return e.Kind == facts.EventConnecting })
	want := netip.MustParseAddr("127.0.0.1")
	if s := e.Socket; s.Addr != want || s.Port != 5432 || s.PID == 0 || len(s.Argv) == 0 {
		t.Errorf("told %+v", s)
	}
	w.during(3 * time.Second)
	if all := w.of(facts.EventConnecting); len(all) != 1 {
		t.Errorf("told %d times:\n%s", len(all), w.told())
	}
}

// dials connects to a listener whose queue is full, so that the kernel does
// not answer.
func dials(address string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	to := netip.MustParseAddrPort(address)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 0); err != nil {
		return err
	}
	var held []net.Conn
	for {
		conn, err := net.Dial("tcp4", address)
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(held), err)
		}
		held = append(held, conn)
	}
}
