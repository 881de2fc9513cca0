package probe

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// dropPtrace takes CAP_SYS_PTRACE from the calling thread, and from what it
// executes: the capability is for the observer alone, which without it cannot
// see whose sockets those of other users are.
func dropPtrace() error {
	const bit = uint32(1) << unix.CAP_SYS_PTRACE
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if sets[0].Permitted&bit == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); err != nil {
		return fmt.Errorf("drop CAP_SYS_PTRACE from the bounding set: %w", err)
	}
	sets[0].Permitted &^= bit
	sets[0].Effective &^= bit
	sets[0].Inheritable &^= bit // the kernel then lowers the ambient one too
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return fmt.Errorf("drop CAP_SYS_PTRACE: %w", err)
	}
	return nil
}
