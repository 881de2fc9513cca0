package probe

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Kernel interface of sock_diag, from linux/inet_diag.h and linux/unix_diag.h,
// where golang.org/x/sys/unix does not have it.
const (
	tcpdiagGetsock  = 18 // one dump for IPv4 and IPv6: half the price of two
	stateClose      = 7
	stateListen     = 10
	inetDiagV6Only  = 11
	inetMsgSize     = 72
	unixDiagName    = 0
	unixDiagQueue   = 4
	unixDiagUID     = 7
	unixDiagShow    = 1<<0 | 1<<4 | 1<<6 // name, queue, uid
	unixMsgSize     = 16
	inetSockIDSize  = 48
	diagBufferBytes = 32 << 10 // the kernel makes no larger dump message
)

var native = binary.NativeEndian

// diag asks the kernel's sock_diag. Each request is one dump.
type diag struct {
	*netlink
	requests [][]byte
	parse    func(list []socket, body []byte) []socket
}

func (d *diag) sockets(list []socket) ([]socket, error) {
	for i, request := range d.requests {
		err := d.dump(request, func(_ uint16, body []byte) {
			list = d.parse(list, body)
		})
		if err != nil && i == 0 { // the second is for IPv6, which may be missing
			return list, err
		}
	}
	return list, nil
}

func newDiag(parse func([]socket, []byte) []socket, requests ...[]byte) (*diag, error) {
	nl, err := openNetlink(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	return &diag{netlink: nl, requests: requests, parse: parse}, nil
}

// legacyRequest is a struct inet_diag_req: listeners of TCP over IPv4 and IPv6.
func legacyRequest() []byte {
	body := make([]byte, 4+inetSockIDSize+8)
	body[0] = unix.AF_INET
	native.PutUint32(body[4+inetSockIDSize:], 1<<stateListen)
	return dumpRequest(tcpdiagGetsock, body)
}

// inetRequest is a struct inet_diag_req_v2.
func inetRequest(family, protocol byte, state uint) []byte {
	body := make([]byte, 8+inetSockIDSize)
	body[0], body[1] = family, protocol
	native.PutUint32(body[4:], 1<<state)
	return dumpRequest(unix.SOCK_DIAG_BY_FAMILY, body)
}

// unixRequest is a struct unix_diag_req for listeners.
func unixRequest() []byte {
	body := make([]byte, 24)
	body[0] = unix.AF_UNIX
	native.PutUint32(body[4:], 1<<stateListen)
	native.PutUint32(body[12:], unixDiagShow)
	return dumpRequest(unix.SOCK_DIAG_BY_FAMILY, body)
}

// parseInet reads a struct inet_diag_msg and its attributes.
func parseInet(list []socket, body []byte) []socket {
	if len(body) < inetMsgSize {
		return list
	}
	s := socket{
		port:  binary.BigEndian.Uint16(body[4:]),
		uid:   native.Uint32(body[64:]),
		inode: native.Uint32(body[68:]),
		load:  load{queue: native.Uint32(body[56:]), backlog: native.Uint32(body[60:])},
	}
	if body[0] == unix.AF_INET6 {
		s.addr = netip.AddrFrom16([16]byte(body[8:24]))
	} else {
		s.addr = netip.AddrFrom4([4]byte(body[8:12]))
	}
	for kind, value := range attributes(body[inetMsgSize:]) {
		if kind == inetDiagV6Only && len(value) > 0 {
			s.v6only = value[0] == 1
		}
	}
	if s.port == 0 || s.inode == 0 {
		return list
	}
	return append(list, s)
}

// parseUnix reads a struct unix_diag_msg and its attributes.
func parseUnix(list []socket, body []byte) []socket {
	if len(body) < unixMsgSize {
		return list
	}
	s := socket{inode: native.Uint32(body[4:])}
	for kind, value := range attributes(body[unixMsgSize:]) {
		switch {
		case kind == unixDiagName && len(value) > 0 && value[0] != 0:
			s.path = unix.ByteSliceToString(value)
		case kind == unixDiagQueue && len(value) >= 8:
			s.load = load{queue: native.Uint32(value), backlog: native.Uint32(value[4:])}
		case kind == unixDiagUID && len(value) >= 4:
			s.uid = native.Uint32(value)
		}
	}
	return append(list, s)
}

var errBlind = errors.New("the source does not see an open listener")

// checked returns the source if it sees a listener that is opened for the
// purpose: a kernel may answer a dump it does not implement with nothing.
func checked(s source) (source, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: localhost.As4()}); err != nil {
		return nil, err
	}
	if err := unix.Listen(fd, 1); err != nil {
		return nil, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	list, err := s.sockets(nil)
	if err != nil {
		return nil, err
	}
	for _, seen := range list {
		if in, ok := name.(*unix.SockaddrInet4); ok && int(seen.port) == in.Port {
			return s, nil
		}
	}
	return nil, errBlind
}
