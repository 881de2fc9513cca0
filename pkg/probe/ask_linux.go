package probe

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"golang.org/x/sys/unix"
)

const (
	bodyPatience  = 200 * millisecond // for a body that may say more than the head
	drainPatience = 100 * millisecond // for a server to end its answer undisturbed
	knockPatience = 300 * millisecond
	maxDrain      = 256 << 10
)

// ask is one connection in progress: first the platform's request, then, when
// nothing came back, the knocks in turn.
type ask struct {
	to      netip.AddrPort
	knocked int // how often the knocks were tried before

	fd       int // -1: no connection
	stage    stage
	knock    int  // index of the knock that is tried; -1: the request
	known    bool // what it is, so that one knock only adds to the answer
	out, in  []byte
	deadline instant
	sent     instant // when the request began
	ended    instant // when its outcome was known
	answer   facts.Answer
	drained  int
	open     []byte // the last bytes of HTTP headers that go on; nil: they ended
	told     bool   // the answer was emitted
}

type stage int

const (
	connecting stage = iota
	reading
	draining
	finished
)

// newAsk starts the request. It may be finished at once.
func newAsk(to netip.AddrPort, say []byte, knocked int, now, patience instant) *ask {
	a := &ask{to: to, knocked: knocked, fd: -1, knock: -1, sent: now}
	a.connect(say, now, patience)
	return a
}

func (a *ask) connect(say []byte, now, patience instant) {
	a.out, a.in, a.deadline, a.stage = say, nil, now+patience, connecting
	fd, err := dial(a.to)
	a.fd = fd
	switch err {
	case nil:
		a.connected(now)
	case unix.EINPROGRESS, unix.EAGAIN:
	default:
		a.failed(err, now)
	}
}

// dial starts a connection. EINPROGRESS is an error, with a descriptor.
func dial(to netip.AddrPort) (int, error) {
	family, address := unix.AF_INET, unix.Sockaddr(nil)
	if to.Addr().Is4() {
		address = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	} else {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, unix.Connect(fd, address)
}

// events is what poll waits for.
func (a *ask) events() int16 {
	if a.stage == connecting {
		return unix.POLLOUT
	}
	return unix.POLLIN
}

// ready goes on when poll reports something.
func (a *ask) ready(now instant) {
	switch a.stage {
	case connecting:
		code, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			a.failed(err, now)
			return
		}
		a.connected(now)
	case reading:
		a.read(now)
	case draining:
		a.drain()
	}
}

// connected sends at once: the server may handle one connection at a time.
func (a *ask) connected(now instant) {
	a.stage = reading
	// A request fits any socket's buffer. When the server has hung up already,
	// reading tells how.
	_ = unix.Send(a.fd, a.out, unix.MSG_NOSIGNAL)
	if now >= a.deadline {
		a.expire(now)
	}
}

func (a *ask) read(now instant) {
	var buf [maxAnswer]byte
	n, err := unix.Read(a.fd, buf[:maxAnswer-len(a.in)])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n > 0 {
		a.in = append(a.in, buf[:n]...)
	}
	a.judge(n <= 0, err, now)
}

// judge looks at what has come; ended: the server said all.
func (a *ask) judge(ended bool, err error, now instant) {
	if a.knock >= 0 {
		a.judgeKnock(ended, now)
		return
	}
	answer, needs := recognise(a.in, ended)
	switch {
	case needs == needNothing && answer.Class == facts.ClassTLS:
		a.greet(answer, now)
	case needs == needNothing:
		a.outcome(answer, now)
	case needs == needBody:
		if a.answer.Class == "" {
			a.deadline = min(a.deadline, now+bodyPatience)
		}
		a.answer = answer
	case ended && err == unix.ECONNRESET:
		a.nothing(facts.Answer{Class: facts.ClassReset}, now)
	case ended && err != nil:
		a.nothing(facts.Answer{Class: facts.ClassReset, Error: errnoName(err)}, now)
	case ended:
		a.nothing(facts.Answer{Class: facts.ClassClosed}, now)
	}
}

// outcome ends the request with an answer, and lets the server finish.
func (a *ask) outcome(answer facts.Answer, now instant) {
	a.answer, a.ended = answer, now
	a.stage = draining
	if len(a.in) >= maxAnswer && answer.Class == facts.ClassHTTP && !headEnds(a.in) {
		a.open = a.in[len(a.in)-headEnd:]
		return // it has the time of the whole try to end them
	}
	a.deadline = now + drainPatience
	if answer.Class != facts.ClassHTTP {
		a.finish()
	}
}

// maxKnocks is how often the knocks are tried on one address: each is one more
// odd line in the program's log. Patience with a silent server helps more.
const maxKnocks = 5

// nothing ends the request without an answer, and tries the first knock.
func (a *ask) nothing(answer facts.Answer, now instant) {
	a.answer, a.ended = answer, now
	if silent := answer.Class == facts.ClassSilent; a.knocked >= maxKnocks || silent && a.knocked > 0 {
		a.finish()
		return
	}
	a.nextKnock(now)
}

func (a *ask) nextKnock(now instant) {
	a.finish()
	if a.knock++; a.knock < len(knocks) && !a.known {
		a.connect(knocks[a.knock].says, now, knockPatience)
	}
}

// greet asks a port that wants TLS which protocol it speaks over that, once.
func (a *ask) greet(answer facts.Answer, now instant) {
	a.answer, a.ended = answer, now
	a.finish()
	if a.knocked > 0 {
		return
	}
	a.known = true
	a.knock = slices.IndexFunc(knocks, func(k knock) bool { return bytes.Equal(k.says, clientHello) })
	a.connect(clientHello, now, knockPatience)
}

// judgeKnock looks at what a knock has brought; ended: no more will come.
func (a *ask) judgeKnock(ended bool, now instant) {
	ended = ended || len(a.in) >= maxAnswer
	protocol, whole := knocks[a.knock].hears(a.in)
	switch {
	case protocol == "" && ended:
		a.nextKnock(now)
	case protocol == "" || !whole && !ended:
	case protocol == tlsProtocol:
		if !a.known {
			a.answer = facts.Answer{Class: facts.ClassTLS, First: escape(a.in)}
		}
		a.answer.ALPN, _ = negotiated(a.in)
		a.finish()
	default:
		a.answer = facts.Answer{Class: facts.ClassOther, Protocol: protocol, First: escape(a.in)}
		a.finish()
	}
}

// drain reads on: a server whose answer is cut off logs an error about it.
func (a *ask) drain() {
	var buf [maxAnswer]byte
	n, err := unix.Read(a.fd, buf[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n > 0 && a.open != nil {
		a.goesOn(buf[:n])
	}
	if a.drained += n; n <= 0 || a.drained > maxDrain {
		a.unended(n > 0)
		a.finish()
	}
}

// expire goes on when the deadline has come.
func (a *ask) expire(now instant) {
	switch {
	case a.stage == draining:
		a.unended(true)
		a.finish()
	case a.knock >= 0:
		a.judgeKnock(true, now)
	case a.stage == connecting:
		a.answer, a.ended = facts.Answer{
			Class: facts.ClassFailed, Error: "the connection was not accepted in time",
		}, now
		a.finish()
	case a.answer.Class != "":
		a.outcome(a.answer, now)
	default:
		if answer, needs := recognise(a.in, true); needs != needMore {
			a.outcome(answer, now)
			return
		}
		a.nothing(facts.Answer{Class: facts.ClassSilent}, now)
	}
}

// failed ends a connection that could not be made.
func (a *ask) failed(err error, now instant) {
	if a.knock >= 0 {
		a.nextKnock(now)
		return
	}
	a.ended = now
	switch err {
	case unix.ECONNREFUSED:
		a.answer = facts.Answer{Class: facts.ClassRefused}
	case unix.ECONNRESET:
		a.answer = facts.Answer{Class: facts.ClassReset}
	default:
		a.answer = facts.Answer{Class: facts.ClassFailed, Error: errnoName(err)}
	}
	a.finish()
}

func (a *ask) finish() {
	if a.fd >= 0 {
		unix.Close(a.fd)
		a.fd = -1
	}
	a.stage = finished
}
