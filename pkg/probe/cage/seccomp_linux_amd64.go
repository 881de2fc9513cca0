package cage

import "golang.org/x/sys/unix"

const (
	auditArch   = unix.AUDIT_ARCH_X86_64
	auditCompat = unix.AUDIT_ARCH_I386
	x32Bit      = 0x40000000
	cloneCompat = 120
)

var forbiddenHere = []uint32{
	unix.SYS_CREATE_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS_IOPERM, unix.SYS_IOPL, unix.SYS_QUERY_MODULE,
	unix.SYS__SYSCTL, unix.SYS_SYSFS, unix.SYS_USELIB, unix.SYS_USTAT,
}

var askingsHere = []asking{
	{unix.SYS_CHOWN, "chown", ChangeOwner, []int{1, 2}},
	{unix.SYS_LCHOWN, "lchown", ChangeOwner, []int{1, 2}},
}

// Numbers of i386, from Linux arch/x86/entry/syscalls/syscall_32.tbl, in the
// order of forbidden and with the older forms of the same calls.
var forbiddenCompat = []uint32{
	51, 286, 357, 264, 404, 129, 338, 350, 431, 432, 430, 433, 275, 128, 426, 427, 425, 349, 283, 288, 253, 274, 21,
	442, 429, 317, 169, 342, 428, 336, 217, 131, 443, 88, 287, 121, 74, 346, 79, 276, 450, 115, 87, 103, 22, 52,
	310, 374, 111, 25, 127, 130, 101, 110, 167, 149, 135, 86, 62, 113, 166,
}
