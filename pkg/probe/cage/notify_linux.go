package cage

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asking is a system call that changes users or owners, and which of its
// arguments name them.
type asking struct {
	number uint32
	name   string
	kind   ChangeKind
	ids    []int
}

// askings are those that every architecture has; askingsHere are more.
var askings = []asking{
	{unix.SYS_FCHOWN, "fchown", ChangeOwner, []int{1, 2}},
	{unix.SYS_FCHOWNAT, "fchownat", ChangeOwner, []int{2, 3}},
	{unix.SYS_SETUID, "setuid", ChangeUser, []int{0}},
	{unix.SYS_SETREUID, "setreuid", ChangeUser, []int{0, 1}},
	{unix.SYS_SETRESUID, "setresuid", ChangeUser, []int{0, 1, 2}},
	{unix.SYS_SETFSUID, "setfsuid", ChangeUser, []int{0}},
	{unix.SYS_SETGID, "setgid", ChangeGroup, []int{0}},
	{unix.SYS_SETREGID, "setregid", ChangeGroup, []int{0, 1}},
	{unix.SYS_SETRESGID, "setresgid", ChangeGroup, []int{0, 1, 2}},
	{unix.SYS_SETFSGID, "setfsgid", ChangeGroup, []int{0}},
	{unix.SYS_SETGROUPS, "setgroups", ChangeGroup, nil},
}

// pretended are the numbers of these calls.
func pretended() (numbers []uint32) {
	for _, list := range [][]asking{askings, askingsHere} {
		for _, a := range list {
			numbers = append(numbers, a.number)
		}
	}
	return numbers
}

// notification and response are struct seccomp_notif and seccomp_notif_resp of
// linux/seccomp.h.
type notification struct {
	id          uint64
	pid, flags  uint32
	number      int32
	arch        uint32
	instruction uint64
	args        [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// change is what a call asks for; false: nothing that one user cannot do, and
// the kernel gives the answer.
func (n *notification) change() (Change, bool) {
	for _, list := range [][]asking{askings, askingsHere} {
		for _, a := range list {
			if a.number != uint32(n.number) {
				continue
			}
			if a.ids == nil { // the groups are in memory; none is what there is
				return Change{a.kind, a.name, -1}, n.args[0] != 0
			}
			for _, i := range a.ids {
				if id := int32(n.args[i]); id != 0 && id != -1 {
					return Change{a.kind, a.name, int(uint32(id))}, true
				}
			}
			return Change{}, false
		}
	}
	return Change{}, false
}

// nameOf is the name of a call that is in these lists.
func nameOf(number int32) string {
	for _, list := range [][]asking{askings, askingsHere} {
		for _, a := range list {
			if a.number == uint32(number) {
				return a.name
			}
		}
	}
	return ""
}

// mostChanges is how many different ones are told.
const mostChanges = 16

// supervise answers the calls of the container's programs that a filter hands
// over, and tells what they ask for. It ends with this process.
func supervise(socket int) {
	listener, err := receiveFD(socket)
	if err != nil {
		return // the filter does without
	}
	told := map[Change]bool{}
	for {
		n := notification{}
		switch err := control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err {
		case 0:
		case unix.EINTR, unix.ENOENT: // killed while it waited
			continue
		default:
			return
		}
		answer := response{id: n.id}
		c, asks := n.change()
		if asks && c.Kind == ChangeOwner {
			answer.errno = -int32(n.give())
		}
		if !asks && n.number != unix.SYS_SETGROUPS { // which one user may not even call
			answer.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		}
		if asks && !told[c] && len(told) < mostChanges {
			told[c] = true
			report(Report{Change: &c})
		}
		if control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)) == unix.EINVAL {
			answer.flags = 0 // Linux before 5.5
			control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
		}
	}
}

func control(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

// receiveFD takes the one descriptor that sendFD sends.
func receiveFD(socket int) (int, error) {
	defer unix.Close(socket)
	data, room := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, data, room, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(room[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("receive a descriptor: %d messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("receive a descriptor: %d of them: %w", len(fds), err)
	}
	return fds[0], nil
}

func sendFD(socket, fd int) error {
	return os.NewSyscallError("sendmsg", unix.Sendmsg(socket, []byte{0}, unix.UnixRights(fd), nil, 0))
}
