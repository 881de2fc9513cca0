package probe

import "golang.org/x/sys/unix"

func tcpSource() source {
	if d, err := newDiag(parseInet, legacyRequest()); err == nil {
		if s, err := checked(d); err == nil {
			return s
		}
		d.close()
	}
	if d, err := newDiag(parseInet,
		inetRequest(unix.AF_INET, unix.IPPROTO_TCP, stateListen),
		inetRequest(unix.AF_INET6, unix.IPPROTO_TCP, stateListen)); err == nil {
		if s, err := checked(d); err == nil {
			return s
		}
		d.close()
	}
	return &procNet{files: []string{"/proc/net/tcp", "/proc/net/tcp6"}, state: "0A"}
}

func udpSource() source {
	d, err := newDiag(parseInet,
		inetRequest(unix.AF_INET, unix.IPPROTO_UDP, stateClose),
		inetRequest(unix.AF_INET6, unix.IPPROTO_UDP, stateClose))
	if err == nil {
		if _, err = d.sockets(nil); err == nil {
			return d
		}
		d.close()
	}
	return &procNet{files: []string{"/proc/net/udp", "/proc/net/udp6"}, state: "07"}
}

// unixSource has no fallback: /proc/net/unix is not worth its price.
func unixSource() source {
	d, err := newDiag(parseUnix, unixRequest())
	if err != nil {
		return blind{}
	}
	return d
}

// blind is a source that sees nothing.
type blind struct{}

func (blind) sockets(list []socket) ([]socket, error) { return list, nil }
