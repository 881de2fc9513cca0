package probe

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// connectingPause: unlike that of listeners, this list makes the kernel
	// look at every connection of the machine.
	connectingPause = second
	stateSynSent    = 2
	maxConnecting   = 20 // addresses told
)

// unanswered follows the connections that nobody has answered yet.
type unanswered struct {
	*observer
	source *diag
	list   []socket
	before map[uint32]bool // by inode: what the last look saw
	told   map[netip.AddrPort]bool
}

// newUnanswered is nil where the kernel does not list them.
func newUnanswered(o *observer) *unanswered {
	source, err := newDiag(parseRemote,
		inetRequest(unix.AF_INET, unix.IPPROTO_TCP, stateSynSent),
		inetRequest(unix.AF_INET6, unix.IPPROTO_TCP, stateSynSent))
	if err != nil {
		return nil
	}
	return &unanswered{observer: o, source: source, told: map[netip.AddrPort]bool{}}
}

// poll tells what the program has been waiting for since the last look, until
// the endpoint is answered.
func (u *unanswered) poll(now instant) instant {
	if u.started == 0 {
		return now + connectingPause
	}
	if u.asker.answered() || len(u.told) >= maxConnecting {
		return never
	}
	list, err := u.source.sockets(u.list[:0])
	if u.list = list; err != nil {
		return never
	}
	seen := map[uint32]bool{}
	for _, s := range list {
		seen[s.inode] = true
		if to := netip.AddrPortFrom(s.addr, s.port); u.before[s.inode] && !u.told[to] {
			u.tellOf(s, to, now)
		}
	}
	u.before = seen
	return after(now, clock(), connectingPause)
}

// tellOf tells of one, unless it is the observer's own question or that of
// somebody else in the network namespace.
func (u *unanswered) tellOf(s socket, to netip.AddrPort, now instant) {
	e := &entry{socket: s}
	u.processes.owners([]*entry{e})
	links, _ := descriptors(e.pid)
	if !slices.ContainsFunc(links, func(link string) bool { return socketInode(link) == s.inode }) {
		return
	}
	u.told[to] = true
	socket := e.facts("tcp")
	socket.PID, socket.Argv = e.pid, e.argv
	u.emit(now, facts.Event{Kind: facts.EventConnecting, Socket: socket})
}

// parseRemote reads a struct inet_diag_msg for the address at the other end.
func parseRemote(list []socket, body []byte) []socket {
	if len(body) < inetMsgSize {
		return list
	}
	s := socket{
		port: binary.BigEndian.Uint16(body[6:]), uid: native.Uint32(body[64:]), inode: native.Uint32(body[68:]),
	}
	if body[0] == unix.AF_INET6 {
		s.addr = netip.AddrFrom16([16]byte(body[24:40])).Unmap()
	} else {
		s.addr = netip.AddrFrom4([4]byte(body[24:28]))
	}
	if s.port == 0 || s.inode == 0 {
		return list
	}
	return append(list, s)
}
