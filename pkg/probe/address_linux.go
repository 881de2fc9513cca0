package probe

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

const loIndex = 1 // lo is the first interface of every network namespace

// ownAddress returns the first IPv4 address of an interface other than lo;
// an invalid one when there is none.
func ownAddress() (found netip.Addr) {
	nl, err := openNetlink(unix.NETLINK_ROUTE)
	if err != nil {
		return found
	}
	defer nl.close()
	body := make([]byte, unix.SizeofIfAddrmsg)
	body[0] = unix.AF_INET
	// What was found before an error is good.
	_ = nl.dump(dumpRequest(unix.RTM_GETADDR, body), func(_ uint16, m []byte) {
		if found.IsValid() || len(m) < unix.SizeofIfAddrmsg || native.Uint32(m[4:]) == loIndex {
			return
		}
		for kind, value := range attributes(m[unix.SizeofIfAddrmsg:]) {
			if kind == unix.IFA_LOCAL && len(value) == 4 {
				found = netip.AddrFrom4([4]byte(value))
			}
		}
	})
	return found
}

// addAddress brings lo up and gives it one more IPv4 address, which makes a
// namespace without any network interface one that has an address of its own.
func addAddress(address netip.Addr) error {
	nl, err := openNetlink(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer nl.close()
	link := make([]byte, unix.SizeofIfInfomsg)
	native.PutUint32(link[4:], loIndex)
	native.PutUint32(link[8:], unix.IFF_UP)
	native.PutUint32(link[12:], unix.IFF_UP)
	up := nl.dump(message(unix.RTM_NEWLINK, unix.NLM_F_ACK, link), func(uint16, []byte) {})

	ip := address.As4()
	body := make([]byte, unix.SizeofIfAddrmsg)
	body[0], body[1] = unix.AF_INET, 32
	native.PutUint32(body[4:], loIndex)
	body = concat(body, attribute(unix.IFA_LOCAL, ip[:]), attribute(unix.IFA_ADDRESS, ip[:]))
	flags := uint16(unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL)
	add := nl.dump(message(unix.RTM_NEWADDR, flags, body), func(uint16, []byte) {})
	if errors.Is(add, unix.EEXIST) {
		add = nil
	}
	return errors.Join(up, add)
}
