package probe

import (
	"fmt"
	"iter"

	"golang.org/x/sys/unix"
)

// netlink is one netlink socket with its buffer.
type netlink struct {
	fd  int
	seq uint32
	buf []byte
}

func openNetlink(protocol int) (*netlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	// The kernel answers at once; an emulation of it may not.
	patience := unix.Timeval{Sec: 1}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("set netlink timeout: %w", err)
	}
	return &netlink{fd: fd, buf: make([]byte, diagBufferBytes)}, nil
}

func (n *netlink) close() { unix.Close(n.fd) }

// message puts a netlink header before body.
func message(kind, flags uint16, body []byte) []byte {
	m := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(body))
	native.PutUint32(m, uint32(unix.SizeofNlMsghdr+len(body)))
	native.PutUint16(m[4:], kind)
	native.PutUint16(m[6:], flags|unix.NLM_F_REQUEST)
	return append(m, body...)
}

func dumpRequest(kind uint16, body []byte) []byte {
	return message(kind, unix.NLM_F_DUMP, body)
}

// dump sends a request and hands every message of the answer to each, whose
// body is valid only during the call. A request with NLM_F_ACK and no
// NLM_F_DUMP ends at its acknowledgement.
func (n *netlink) dump(request []byte, each func(kind uint16, body []byte)) error {
	n.seq++
	native.PutUint32(request[8:], n.seq)
	if _, err := unix.Write(n.fd, request); err != nil {
		return fmt.Errorf("ask netlink: %w", err)
	}
	for {
		size, err := receive(n.fd, n.buf)
		if err != nil {
			return fmt.Errorf("read netlink: %w", err)
		}
		if done, err := n.answer(n.buf[:size], each); done || err != nil {
			return err
		}
	}
}

func receive(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// answer walks the messages of one datagram. Those of an earlier request that
// was given up are passed over.
func (n *netlink) answer(data []byte, each func(uint16, []byte)) (done bool, err error) {
	for len(data) >= unix.SizeofNlMsghdr {
		size := int(native.Uint32(data))
		if size < unix.SizeofNlMsghdr || size > len(data) {
			return false, unix.EBADMSG
		}
		kind, body := native.Uint16(data[4:]), data[unix.SizeofNlMsghdr:size]
		if native.Uint32(data[8:]) == n.seq {
			switch kind {
			case unix.NLMSG_DONE:
				return true, nil
			case unix.NLMSG_ERROR:
				if len(body) < 4 {
					return true, unix.EBADMSG
				}
				if code := int32(native.Uint32(body)); code != 0 {
					return true, unix.Errno(-code)
				}
				return true, nil
			}
			each(kind, body)
		}
		data = data[min(len(data), align4(size)):]
	}
	return false, nil
}

// attributes yields the netlink attributes in data.
func attributes(data []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= 4 {
			size := int(native.Uint16(data))
			if size < 4 || size > len(data) || !yield(native.Uint16(data[2:]), data[4:size]) {
				return
			}
			data = data[min(len(data), align4(size)):]
		}
	}
}

// attribute is the inverse of attributes for one.
func attribute(kind uint16, value []byte) []byte {
	a := make([]byte, align4(4+len(value)))
	native.PutUint16(a, uint16(4+len(value)))
	native.PutUint16(a[2:], kind)
	copy(a[4:], value)
	return a
}

func align4(n int) int { return (n + 3) &^ 3 }
