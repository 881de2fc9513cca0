// Command hostile attacks whoever runs it, and prints what succeeded.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch os.Args[1] {
	case "calls":
		calls()
	case "files":
		files()
	case "binary":
		binary()
	case "identity":
		identity()
	case "kill":
		_ = syscall.Kill(-1, syscall.SIGKILL)
		fmt.Println("alive")
	case "forks":
		forks()
	case "fill":
		fill()
	case "sleep":
		time.Sleep(time.Hour)
	}
}

// fill writes files of 200 MiB as fast as a disk would take them.
func fill() {
	f, err := os.Create("/tmp/filled")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for range 200 {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		time.Sleep(4 * time.Millisecond)
	}
}

// calls tries system calls that a container must not make.
func calls() {
	for name, call := range map[string]func() error{
		"mount":    func() error { return syscall.Mount("none", "/tmp", "tmpfs", 0, "") },
		"unmount":  func() error { return syscall.Unmount("/proc", syscall.MNT_DETACH) },
		"unshare":  func() error { return syscall.Unshare(syscall.CLONE_NEWUSER) },
		"pivot":    func() error { return syscall.PivotRoot("/", "/tmp") },
		"hostname": func() error { return syscall.Sethostname([]byte("x")) },
		"mknod":    func() error { return syscall.Mknod("/tmp/disk", syscall.S_IFBLK|0o600, 0xfe00) },
		"reboot":   func() error { return syscall.Reboot(0) },
		"raw":      func() error { _, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, 1); return err },
		"clone": func() error {
			_, err := syscall.ForkExec("/hostile", []string{"hostile"}, &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}})
			return err
		},
	} {
		if err := call(); !errors.Is(err, syscall.EPERM) {
			fmt.Println(name, err)
		}
	}
}

// files tries to write what is the machine's.
func files() {
	for _, name := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward",
		"/sys/kernel/uevent_helper", "/proc/kcore", "/sys/fs/cgroup/release_agent",
	} {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		if _, err = f.WriteString("x"); err == nil {
			if info, err := f.Stat(); err == nil && info.Mode().IsRegular() { // not /dev/null
				fmt.Println(name)
			}
		}
	}
	for _, name := range []string{"/proc/1/root/etc/shadow", "/../../etc/shadow"} {
		if _, err := os.Stat(name); err == nil {
			fmt.Println(name)
		}
	}
}

// binary tries to write to the binary of another process, as CVE-2019-5736 did.
func binary() {
	all, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range all {
		if exe == "/proc/1/exe" { // this one, in a layer of its own
			continue
		}
		pid := strings.Split(exe, "/")[2]
		f, err := os.Open(exe)
		if err != nil {
			continue
		}
		var n int
		fmt.Sscan(pid, &n)
		_ = syscall.Kill(n, syscall.SIGKILL)
		time.Sleep(50 * time.Millisecond)
		w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		if _, err := w.WriteString("x"); err == nil {
			fmt.Println("overwrote", exe)
		}
	}
}

// identity prints what the kernel says of this process.
func identity() {
	text, _ := os.ReadFile("/proc/self/status")
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		values[name] = strings.TrimSpace(value)
	}
	var bounding uint64
	fmt.Sscanf(values["CapBnd"], "%x", &bounding)
	const engine = 0xa80425fb // Docker's default
	more := 0
	for bit := range 64 {
		if bounding&(1<<bit) != 0 && engine&(1<<bit) == 0 {
			more++
		}
	}
	fmt.Printf("capabilities %d of those an engine drops; no new privileges %s; seccomp %s\n", more, values["NoNewPrivs"], values["Seccomp"])
}

// forks starts processes until it may not any more.
func forks() {
	for range 5000 {
		_, err := syscall.ForkExec("/hostile", []string{"hostile", "sleep"}, &syscall.ProcAttr{})
		if err != nil {
			fmt.Println("stopped forking")
			return
		}
	}
}
