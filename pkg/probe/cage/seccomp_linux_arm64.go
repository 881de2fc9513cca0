package cage

import "golang.org/x/sys/unix"

const (
	auditArch   = unix.AUDIT_ARCH_AARCH64
	auditCompat = 0
	x32Bit      = 0
	cloneCompat = 0
)

var (
	forbiddenHere, forbiddenCompat []uint32
	askingsHere                    []asking
)
