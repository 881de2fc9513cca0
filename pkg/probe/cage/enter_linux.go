package cage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// refusal is an error that is the image's fault, in the words of an engine.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// errOverlay marks errors for want of a usable overlayfs.
var errOverlay = errors.New("mount overlay")

// Enter makes the container around this process and becomes the program.
// network brings up lo and gives it an address.
func Enter(network func(netip.Addr) error) (int, error) {
	runtime.LockOSThread() // execve takes the privileges of its caller
	unix.CloseOnExec(ControlFD)
	unix.CloseOnExec(ReportFD)
	err := become(network)
	var image refusal
	if errors.As(err, &image) {
		report(Report{Refused: image.text})
	} else {
		report(Report{Failed: err.Error(), NoOverlay: errors.Is(err, errOverlay)})
	}
	return exitUsage, nil
}

// become returns only with an error.
func become(network func(netip.Addr) error) error {
	text, err := receive(os.NewFile(ControlFD, "control"))
	if err != nil {
		return err
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("decode config: %w", err)
	}
	unix.Umask(0)
	if err := c.surround(network); err != nil {
		return err
	}
	root, err := c.mountRoot()
	if err != nil {
		return err
	}
	if err := c.furnish(root); err != nil {
		return err
	}
	if err := pivot(root); err != nil {
		return err
	}
	unix.Umask(0o022)
	if err := c.confine(); err != nil {
		return err
	}
	return fmt.Errorf("execute the probe: %w", syscall.Exec("/proc/self/exe", c.Argv, c.Env))
}

// surround sets up what is not the file system.
func (c *Config) surround(network func(netip.Addr) error) error {
	for fd := CgroupFD; fd < CgroupFD+c.Cgroups; fd++ {
		_, err := unix.Write(fd, []byte("0"))
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	if c.Cgroups > 0 {
		// Without it the program sees the machine's names of its cgroups.
		_ = unix.Unshare(unix.CLONE_NEWCGROUP)
	}
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	address, err := netip.ParseAddr(c.Address)
	if err != nil {
		return fmt.Errorf("parse address: %w", err)
	}
	if err := network(address); err != nil {
		return fmt.Errorf("set up %s on lo: %w", address, err)
	}
	// Owned by the program's user, so that it can open /dev/stderr.
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Fchown(fd, c.UID, c.GID); err != nil {
			return fmt.Errorf("give output to user %d: %w", c.UID, err)
		}
	}
	return nil
}
