package cage

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// kept are Docker's default capabilities without CAP_MKNOD and CAP_NET_RAW,
// which Podman drops too. CAP_SYS_PTRACE is for the probe, which does not hand
// it on.
const kept = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID |
	1<<unix.CAP_KILL | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_NET_BIND_SERVICE | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_SETFCAP

// confine takes every privilege that the program is not to have, and becomes
// its user in its directory.
func (c *Config) confine() error {
	if err := c.limit(); err != nil {
		return err
	}
	keep := uint64(kept)
	if c.UID == 0 {
		keep |= 1 << unix.CAP_SYS_PTRACE
	}
	if c.Gains { // with capabilities, for want of no-new-privileges
		if err := c.filter(); err != nil {
			return err
		}
	}
	if err := bound(keep); err != nil {
		return err
	}
	if err := c.changeUser(); err != nil {
		return err
	}
	if c.UID != 0 {
		keep = 0
	}
	if err := retain(keep); err != nil {
		return err
	}
	if err := c.enterDir(); err != nil || c.Gains {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no-new-privileges: %w", err)
	}
	return c.filter()
}

func (c *Config) enterDir() error {
	if c.Dir == "" {
		return nil
	}
	if err := os.Chdir(c.Dir); err != nil {
		return refusal{fmt.Sprintf("chdir to cwd (%q) failed: %v", c.Dir, unwrapped(err))}
	}
	return nil
}

func unwrapped(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// limit sets resource limits. Raising one may not be allowed, lowering is.
func (c *Config) limit() error {
	for _, l := range []struct {
		resource int
		value    uint64
		wanted   bool
	}{
		{unix.RLIMIT_CORE, 0, true},
		{unix.RLIMIT_NOFILE, c.Files, c.Files > 0},
		{unix.RLIMIT_NPROC, c.Pids, c.Pids > 0},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("read resource limit %d: %w", l.resource, err)
		}
		if !l.wanted {
			continue
		}
		value := min(l.value, now.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("set resource limit %d: %w", l.resource, err)
		}
	}
	return nil
}

// bound drops capabilities for good, from the program and all that it starts.
func bound(keep uint64) error {
	for bit := uintptr(0); bit < 64; bit++ {
		if keep&(1<<bit) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, bit, 0, 0, 0)
		if err == unix.EINVAL {
			return nil // the kernel has no more
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", bit, err)
		}
	}
	return nil
}

func (c *Config) changeUser() error {
	if !c.Single { // the kernel then has no other groups either
		if err := syscall.Setgroups(c.Groups); err != nil {
			return fmt.Errorf("set groups %v: %w", c.Groups, err)
		}
	}
	if err := syscall.Setresgid(c.GID, c.GID, c.GID); err != nil {
		return fmt.Errorf("become group %d: %w", c.GID, err)
	}
	if err := syscall.Setresuid(c.UID, c.UID, c.UID); err != nil {
		return fmt.Errorf("become user %d: %w", c.UID, err)
	}
	return nil
}

// retain sets the capabilities of this thread.
func retain(keep uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	low, high := uint32(keep), uint32(keep>>32)
	sets := [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop ambient capabilities: %w", err)
	}
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}
