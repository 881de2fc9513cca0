package cage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// refusal is an error that is the image's fault, in the words of an engine.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// errOverlay marks errors for want of a usable overlayfs.
var errOverlay = errors.New("mount overlay")

// Surroundings are what a container's first process needs of the probe.
type Surroundings struct {
	// Network brings up lo and gives it an address.
	Network func(netip.Addr) error
	// Inject becomes the program on the calling thread, of the probe's words
	// behind its name; it is false for those that another role is for.
	Inject func(words []string) (status int, ok bool, err error)
}

// Enter makes the container around this process and becomes the program.
func Enter(s Surroundings) (int, error) {
	runtime.LockOSThread() // execve takes the privileges of its caller
	unix.CloseOnExec(ControlFD)
	unix.CloseOnExec(ReportFD)
	c, err := arrange(s.Network)
	if err == nil {
		// A role that stays starts afresh: only this thread is confined.
		if status, ok, err := c.inject(s); ok {
			return status, err
		}
		err = fmt.Errorf("execute the probe: %w", syscall.Exec("/proc/self/exe", c.Argv, c.Env))
	}
	var image refusal
	if errors.As(err, &image) {
		report(Report{Refused: image.text})
	} else {
		report(Report{Failed: err.Error(), NoOverlay: errors.Is(err, errOverlay)})
	}
	return exitUsage, nil
}

// inject saves executing the binary once more, which takes milliseconds.
func (c *Config) inject(s Surroundings) (int, bool, error) {
	os.Clearenv()
	for _, kv := range c.Env {
		key, value, _ := strings.Cut(kv, "=")
		os.Setenv(key, value) // what is no variable is none for a program either
	}
	return s.Inject(c.Argv[1:])
}

// arrange makes the container and confines this thread to it.
func arrange(network func(netip.Addr) error) (*Config, error) {
	text, err := receive(os.NewFile(ControlFD, "control"))
	if err != nil {
		return nil, err
	}
	c := &Config{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("decode config: %w", err)
	}
	if c.Pretend {
		unix.CloseOnExec(NotifyFD)
		c.notify = NotifyFD
	}
	unix.Umask(0)
	if err := c.surround(network); err != nil {
		return nil, err
	}
	root, err := c.mountRoot()
	if err != nil {
		return nil, err
	}
	if err := c.furnish(root); err != nil {
		return nil, err
	}
	if err := pivot(root); err != nil {
		return nil, err
	}
	unix.Umask(0o022)
	return c, c.confine()
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
