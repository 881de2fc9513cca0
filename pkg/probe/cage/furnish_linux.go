package cage

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// What runc hides and protects for Docker.
var (
	masked = []string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
		"/sys/devices/virtual/powercap",
	}
	readOnly = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	devices  = []string{"null", "zero", "full", "random", "urandom", "tty"}
	links    = map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2",
	}
)

const plain = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV

// furnish adds what an engine adds to an image's files.
func (c *Config) furnish(r root) error {
	if err := r.mountAt("proc", "/proc", plain, ""); err != nil {
		return err
	}
	if err := c.dev(r); err != nil {
		return err
	}
	c.sys(r)
	if c.LowPorts {
		zero(r, lowPorts)
	}
	zero(r, noTimeWait)
	if err := mask(r); err != nil {
		return err
	}
	if err := c.names(r); err != nil {
		return err
	}
	for _, b := range c.Binds {
		if err := r.bind(b.Source, b.Target, b.ReadOnly); err != nil {
			return err
		}
	}
	for _, dir := range c.Volumes {
		if err := c.volume(r, path.Clean("/"+dir)); err != nil {
			return err
		}
	}
	if err := c.workdir(r); err != nil || !c.ReadOnly {
		return err
	}
	return r.readOnly("/")
}

// volume makes a directory that can be written to.
func (c *Config) volume(r root, dir string) error {
	fd, err := r.dir(dir, c.dirMode())
	if err != nil {
		return refusal{fmt.Sprintf("make volume %s: %v", dir, err)}
	}
	defer unix.Close(fd)
	if !c.ReadOnly {
		return nil
	}
	if err := unix.Mount(at(fd), at(fd), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount volume %s: %w", dir, err)
	}
	return nil
}

// dirMode is the mode of a directory that root makes.
func (c *Config) dirMode() uint32 {
	if c.Strict {
		return 0o555
	}
	return 0o755
}

func (c *Config) workdir(r root) error {
	if c.Dir == "" {
		return nil
	}
	fd, err := r.dir(path.Clean("/"+c.Dir), c.dirMode())
	if err != nil {
		return refusal{fmt.Sprintf("mkdir %s: %v", c.Dir, err)}
	}
	unix.Close(fd)
	return nil
}

func (c *Config) dev(r root) error {
	if err := r.mountAt("tmpfs", "/dev", unix.MS_NOSUID|unix.MS_STRICTATIME, "mode=755,size=65536k"); err != nil {
		return err
	}
	for _, name := range devices {
		if err := r.bind("/dev/"+name, "/dev/"+name, false); err != nil {
			return err
		}
	}
	dev, err := r.dir("/dev", 0o755)
	if err != nil {
		return fmt.Errorf("open /dev: %w", err)
	}
	defer unix.Close(dev)
	for name, to := range links {
		if err := unix.Symlinkat(to, dev, name); err != nil {
			return fmt.Errorf("link /dev/%s: %w", name, err)
		}
	}
	if err := r.mountAt("tmpfs", "/dev/shm", plain, "mode=1777,size=65536k"); err != nil {
		return err
	}
	pts := "newinstance,ptmxmode=0666,mode=0620"
	if !c.Nested {
		pts += ",gid=5"
	}
	if err := r.mountAt("devpts", "/dev/pts", unix.MS_NOSUID|unix.MS_NOEXEC, pts); err != nil {
		return err
	}
	return r.mountAt("mqueue", "/dev/mqueue", plain, "")
}

// sys shows the machine where that is allowed. Programs look there for sizes
// and go on without.
func (c *Config) sys(r root) {
	if r.mountAt("sysfs", "/sys", plain|unix.MS_RDONLY, "") != nil || c.Cgroups == 0 {
		return
	}
	// A runtime that does not see its limit takes the machine's memory for it.
	if c.Unified {
		_ = r.mountAt("cgroup2", cgroups, plain|unix.MS_RDONLY, "")
		return
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || r.mountAt("tmpfs", cgroups, plain, "mode=755") != nil {
		return
	}
	for _, controllers := range hierarchies(string(text)) {
		_ = r.mountAt("cgroup", path.Join(cgroups, controllers), plain|unix.MS_RDONLY, controllers)
	}
	_ = r.readOnly(cgroups)
}

const cgroups = "/sys/fs/cgroup"

// sizing are the controllers of version 1 that programs read; Java wants all of
// them, or believes none.
var sizing = []string{"memory", "cpu", "cpuacct", "cpuset"}

// hierarchies are those of version 1 with such a controller, as /proc/PID/cgroup
// lists them: "4:cpu,cpuacct:/docker/1f".
func hierarchies(text string) (all []string) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) == 3 && slices.ContainsFunc(strings.Split(fields[1], ","), func(c string) bool { return slices.Contains(sizing, c) }) {
			all = append(all, fields[1])
		}
	}
	return all
}

// The settings of a network that are not the kernel's defaults.
const (
	lowPorts   = "ip_unprivileged_port_start" // 0: every user binds ports below 1024, as in Docker
	noTimeWait = "tcp_max_tw_buckets"         // 0: a closed connection frees its port for the next run
)

// zero sets one of them to 0; kernels before 4.11 do not have it.
func zero(r root, setting string) {
	fd, err := r.open("/proc/sys/net/ipv4/"+setting, unix.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte("0"))
	unix.Close(fd)
}

func mask(r root) error {
	for _, name := range masked {
		fd, err := r.open(name, unix.O_PATH, 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		err = unix.Mount("/dev/null", at(fd), "", unix.MS_BIND, "")
		if err == unix.ENOTDIR {
			err = unix.Mount("tmpfs", at(fd), "tmpfs", unix.MS_RDONLY, "")
		}
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("hide %s: %w", name, err)
		}
	}
	for _, name := range readOnly {
		fd, err := r.open(name, unix.O_PATH, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		err = unix.Mount(at(fd), at(fd), "", unix.MS_BIND|unix.MS_REC, "")
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("bind %s: %w", name, err)
		}
		if err := r.readOnly(name); err != nil {
			return err
		}
	}
	return nil
}

// names writes the files by which a program finds itself.
func (c *Config) names(r root) error {
	files := map[string]string{
		"hostname": c.Hostname + "\n",
		"hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
			c.Address + "\t" + c.Hostname + "\n",
		// There is no network, and nothing that answers: fail at once.
		"resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
	}
	for name, text := range files {
		if err := os.WriteFile(path.Join("etc", name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		if err := r.bind(path.Join("etc", name), "/etc/"+name, c.ReadOnly); err != nil {
			return err
		}
	}
	return nil
}
