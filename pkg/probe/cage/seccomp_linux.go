package cage

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden are the system calls that Docker's default profile does not allow
// a container with the capabilities that this one has (moby v28
// profiles/seccomp/default.json). The profile lists what it allows; this lists
// what it does not, so that no program fails for want of an entry.
var forbidden = []uint32{
	unix.SYS_ACCT, unix.SYS_ADD_KEY, unix.SYS_BPF, unix.SYS_CLOCK_SETTIME, unix.SYS_DELETE_MODULE,
	unix.SYS_FANOTIFY_INIT, unix.SYS_FINIT_MODULE, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSOPEN,
	unix.SYS_FSPICK, unix.SYS_GET_MEMPOLICY, unix.SYS_INIT_MODULE, unix.SYS_IO_URING_ENTER,
	unix.SYS_IO_URING_REGISTER, unix.SYS_IO_URING_SETUP, unix.SYS_KCMP, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_MBIND, unix.SYS_MOUNT,
	unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_MOVE_PAGES, unix.SYS_NFSSERVCTL,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_OPEN_TREE, unix.SYS_PERF_EVENT_OPEN, unix.SYS_PIVOT_ROOT,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_REBOOT, unix.SYS_REQUEST_KEY, unix.SYS_SETDOMAINNAME,
	unix.SYS_SETHOSTNAME, unix.SYS_SETNS, unix.SYS_SETTIMEOFDAY, unix.SYS_SET_MEMPOLICY,
	unix.SYS_SET_MEMPOLICY_HOME_NODE, unix.SYS_SWAPOFF, unix.SYS_SWAPON, unix.SYS_SYSLOG, unix.SYS_UMOUNT2,
	unix.SYS_UNSHARE, unix.SYS_USERFAULTFD, unix.SYS_VHANGUP,
}

// Where struct seccomp_data has its fields, on little-endian machines.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArg0   = 16
)

// namespaces are the flags of clone(2) that make one. The bit of CLONE_NEWTIME
// is a part of the signal's number there.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

func refuse(err unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(err) }

// program is a filter under construction.
type program []unix.SockFilter

func (p *program) add(code uint16, k uint32, yes, no uint8) {
	*p = append(*p, unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no})
}

func (p *program) load(offset uint32) { p.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset, 0, 0) }

func (p *program) answer(action uint32) { p.add(unix.BPF_RET|unix.BPF_K, action, 0, 0) }

// when answers if the loaded word compares so.
func (p *program) when(test uint16, k uint32, action uint32) {
	p.add(unix.BPF_JMP|test|unix.BPF_K, k, 0, 1)
	p.answer(action)
}

// forbid answers each of the numbers.
func (p *program) forbid(numbers []uint32, action uint32) {
	for _, n := range numbers {
		p.when(unix.BPF_JEQ, n, action)
	}
}

// assemble builds the filter for this architecture.
func (c *Config) assemble() program {
	var p program
	native := c.native()
	p.load(offsetArch)
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, auditArch, 1, 0)
	p.add(unix.BPF_JMP|unix.BPF_JA, uint32(len(native)), 0, 0)
	p = append(p, native...)
	return append(p, c.compat()...)
}

// native filters calls of this architecture's own kind.
func (c *Config) native() program {
	var p program
	p.load(offsetNumber)
	if x32Bit != 0 {
		p.when(unix.BPF_JGE, x32Bit, refuse(unix.ENOSYS))
	}
	if c.Pretend {
		action := refuse(0)
		if c.listens {
			action = unix.SECCOMP_RET_USER_NOTIF
		}
		p.forbid(pretended(), action)
	}
	p.forbid(forbidden, refuse(unix.EPERM))
	p.forbid(forbiddenHere, refuse(unix.EPERM))
	// Its flags are in memory, where no filter can look: clone then serves.
	p.when(unix.BPF_JEQ, unix.SYS_CLONE3, refuse(unix.ENOSYS))
	p.clone(unix.SYS_CLONE)
	p.answer(unix.SECCOMP_RET_ALLOW)
	return p
}

// compat filters the calls of 32-bit programs, whose architecture is
// still loaded.
func (c *Config) compat() program {
	var p program
	if auditCompat == 0 {
		p.answer(refuse(unix.ENOSYS))
		return p
	}
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, auditCompat, 1, 0)
	p.answer(refuse(unix.ENOSYS))
	p.load(offsetNumber)
	p.forbid(forbiddenCompat, refuse(unix.EPERM))
	p.when(unix.BPF_JEQ, unix.SYS_CLONE3, refuse(unix.ENOSYS)) // one number for all
	p.clone(cloneCompat)
	p.answer(unix.SECCOMP_RET_ALLOW)
	return p
}

// clone refuses new namespaces.
func (p *program) clone(number uint32) {
	p.add(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, number, 0, 3)
	p.load(offsetArg0)
	p.when(unix.BPF_JSET, namespaces, refuse(unix.EPERM))
}

// filter installs it for this thread, and what it executes. Where there is a
// keeper to ask about changes of users it is asked; where the kernel cannot do
// that (before 5.0, or in a container that is supervised so itself), such calls
// fail as they do.
func (c *Config) filter() error {
	if auditArch == 0 {
		return nil
	}
	c.listens = c.Pretend && c.notify != 0
	if !c.listens {
		_, err := install(c.assemble(), 0)
		return err
	}
	listener, err := install(c.assemble(), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if err != nil {
		c.Pretend, c.listens = false, false
		_, err := install(c.assemble(), 0)
		return err
	}
	defer unix.Close(listener)
	return sendFD(c.notify, listener)
}

func install(p program, flags uintptr) (int, error) {
	program := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, fmt.Errorf("install seccomp filter: %w", errno)
	}
	return int(fd), nil
}
