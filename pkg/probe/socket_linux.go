package probe

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// socket is a listener as the kernel lists it. It is comparable and holds no
// pointers but path, so that polling allocates nothing.
type socket struct {
	inode, uid uint32
	addr       netip.Addr
	port       uint16
	v6only     bool
	path       string
	load
}

// load is the part of a listener that changes while it is open.
type load struct{ queue, backlog uint32 }

func (s socket) facts(network string) *facts.Socket {
	return &facts.Socket{
		Network: network, Addr: s.addr, Port: int(s.port), Path: s.path, V6Only: s.v6only,
		Inode: s.inode, UID: int(s.uid), Queue: int(s.queue), Backlog: int(s.backlog),
	}
}

// foreign reports sockets that are never the program's: those of Docker's
// resolver, which serves user-defined networks from inside the namespace,
// those of this binary's mount, and abstract ones.
func (s socket) foreign(network string) bool {
	if network == "unix" {
		return s.path == "" || s.path[0] == 0 || strings.HasPrefix(s.path, MountPoint+"/")
	}
	return s.addr.Unmap() == netip.AddrFrom4([4]byte{127, 0, 0, 11})
}

// loopback is the address at which the listener can be asked from inside.
func (s socket) loopback() netip.Addr {
	switch addr := s.addr.Unmap(); {
	case !addr.IsUnspecified():
		return addr
	case s.v6only:
		return netip.IPv6Loopback()
	}
	return localhost
}

var localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// source lists the open sockets of one kind, appending to list.
type source interface {
	sockets(list []socket) ([]socket, error)
}

// table follows the sockets of one kind.
type table struct {
	network string
	source  source
	// confirm: a socket counts from the second time it is seen. A udp client
	// looks like a server for as long as it waits for its answer.
	confirm bool
	known   map[uint32]*entry // by inode
	list    []socket          // reused
	round   int
}

type entry struct {
	socket
	round    int
	baseline bool // it was there before the program
	told     bool // it was reported
	pid      int
	argv     []string
	waiting
}

// poll lists the sockets again and returns those opened and closed since. The
// first call makes the baseline and returns none. When the source cannot
// answer, nothing has changed.
func (t *table) poll() (opened, closed []*entry) {
	list, err := t.source.sockets(t.list[:0])
	t.list = list
	if err != nil {
		return nil, nil
	}
	first := t.known == nil
	if first {
		t.known = map[uint32]*entry{}
	}
	t.round++
	for _, s := range list {
		if s.foreign(t.network) {
			continue
		}
		e := t.known[s.inode]
		if e != nil && e.addr == s.addr && e.port == s.port {
			e.round, e.load = t.round, s.load
			if t.confirm && !e.baseline && !e.told {
				opened = append(opened, e)
			}
			continue
		}
		if e != nil {
			closed = append(closed, e)
		}
		e = &entry{socket: s, round: t.round, baseline: first}
		t.known[s.inode] = e
		if !first && !t.confirm {
			opened = append(opened, e)
		}
	}
	for inode, e := range t.known {
		if e.round != t.round {
			delete(t.known, inode)
			closed = append(closed, e)
		}
	}
	return opened, slices.DeleteFunc(closed, func(e *entry) bool { return !e.told })
}

// on returns the program's open sockets on a port.
func (t *table) on(port uint16) []*entry {
	var list []*entry
	for _, e := range t.known {
		if e.port == port && !e.baseline {
			list = append(list, e)
		}
	}
	return list
}

// any reports whether the program has a socket open.
func (t *table) any() bool {
	for _, e := range t.known {
		if !e.baseline {
			return true
		}
	}
	return false
}
