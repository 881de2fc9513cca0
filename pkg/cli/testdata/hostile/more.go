package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// nasty has what a terminal, a log of a CI job and markup would take for orders.
const nasty = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\n::error::forged\n##[error]forged\n<script>alert(1)</script>]]>&\u202e"

// kill ends every process that it can, again and again, and serves.
func kill() {
	go answer(good, "")
	for {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		time.Sleep(time.Millisecond)
	}
}

// setuid is started as a user, from a file that makes its caller root, and
// serves if it does not.
func setuid() {
	if os.Geteuid() == 0 || syscall.Setuid(0) == nil {
		fmt.Println("became root")
		os.Exit(9)
	}
	answer(good, "")
}

// outside writes wherever it may, and serves if all of that is the image's own.
func outside() {
	wrote := func(what string) {
		fmt.Println("wrote", what)
		os.Exit(9)
	}
	for _, name := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/net/ipv4/ip_forward", "/proc/1/root/../../etc/shadow",
		"/sys/kernel/uevent_helper", "/proc/kcore", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/cgroup.procs", "/.imglint/probe",
	} {
		if f, err := os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			if _, err = f.WriteString("x"); err == nil {
				if info, err := f.Stat(); err == nil && info.Mode().IsRegular() { // not /dev/null
					wrote(name)
				}
			}
		}
	}
	probes, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range probes {
		if to, err := os.Readlink(exe); err == nil && to != "/hostile" {
			if err := os.WriteFile(exe, []byte("x"), 0o700); err == nil {
				wrote(exe)
			}
		}
	}
	for what, err := range map[string]error{
		"mounted":   syscall.Mount("none", "/tmp", "tmpfs", 0, ""),
		"unmounted": syscall.Unmount("/proc", syscall.MNT_DETACH),
		"made disk": syscall.Mknod("/tmp/disk", syscall.S_IFBLK|0o600, 0xfe00),
		"unshared":  syscall.Unshare(syscall.CLONE_NEWUSER),
	} {
		if err == nil {
			wrote(what)
		}
	}
	answer(good, "")
}

// escapes says nasty things everywhere.
func escapes() {
	if len(os.Args) == 2 {
		_ = syscall.Exec("/hostile", []string{"a" + nasty, "escapes", nasty}, append(os.Environ(), "NASTY="+nasty))
	}
	fmt.Println("log", nasty)
	fmt.Fprintln(os.Stderr, "log", nasty)
	_, _ = syscall.ForkExec("/hostile", []string{"child" + nasty, "sleep", nasty}, &syscall.ProcAttr{})
	listen("/tmp/" + strings.ReplaceAll(nasty, "/", "") + ".sock")
	answer("HTTP/1.1 404 "+nasty+"\r\nServer: "+nasty+"\r\nLocation: "+nasty+"\r\nContent-Length: 0\r\n\r\n", "")
}

// banner speaks no HTTP, but to a terminal.
func banner() {
	fmt.Println("log", nasty)
	answer(nasty, "")
}

// argv is a megabyte of arguments.
func argv() {
	if len(os.Args) == 2 {
		args := []string{strings.Repeat("a", 100<<10), "argv"}
		for range 9 {
			args = append(args, strings.Repeat("x", 100<<10))
		}
		fmt.Println(syscall.Exec("/hostile", args, os.Environ()))
	}
	answer(good, "")
}

func listen(path string) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil && syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}) == nil {
		_ = syscall.Listen(fd, 8)
	}
}

// unixSockets have odd names.
func unixSockets() {
	for i := range 500 {
		name := fmt.Sprintf("%d%s", i, strings.ReplaceAll(nasty, "/", ""))
		listen("/tmp/" + name)
		listen("@" + name)
	}
	time.Sleep(time.Hour)
}

// renames changes its command line all the time.
func renames() {
	go answer(good, "")
	name := unsafe.Slice(unsafe.StringData(os.Args[0]), len(os.Args[0])) // memory that the kernel shows
	for i := 0; ; i++ {
		copy(name, fmt.Sprintf("%0*d", len(name), i))
		time.Sleep(time.Millisecond)
	}
}

// execs executes itself all the time.
func execs() {
	time.Sleep(time.Millisecond)
	_ = syscall.Exec("/hostile", []string{fmt.Sprint("/hostile", time.Now().UnixNano()), "execs"}, os.Environ())
}

// slow sends an answer that never ends, a byte at a time.
func slow() {
	l, err := net.Listen("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer c.Close()
			for _, b := range []byte("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
}

// flap opens its port and closes it.
func flap() {
	for {
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
		}
		time.Sleep(time.Millisecond / 2)
	}
}

// fill writes the places for temporary files full, half a gigabyte at most.
func fill() {
	for _, dir := range []string{"/dev/shm", "/tmp"} {
		f, err := os.Create(filepath.Join(dir, "filled"))
		for i := 0; i < 512 && err == nil; i++ {
			_, err = f.Write(bytes.Repeat([]byte{1}, 1<<20))
		}
		fmt.Println(dir, err)
	}
	answer(good, "")
}

// away is a check that leaves processes behind which hold its output open.
func away() {
	for range 20 {
		_, _ = syscall.ForkExec("/hostile", []string{"left", "sleep"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	}
}

// stop forks when it is told to stop.
func stop() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	go answer(good, "")
	<-asked
	forks()
}

// secrets prints API_KEY and DATABASE_URL in every way, and says it to whoever asks.
func secrets() {
	for _, name := range []string{"API_KEY", "DATABASE_URL"} {
		s := os.Getenv(name)
		quoted, _ := json.Marshal(s)
		fmt.Println(s, string(quoted), fmt.Sprintf("%q %+q %x", s, s, s), url.QueryEscape(s), url.PathEscape(s), strings.Repeat("-", 4000)+s)
		for i := range 3 {
			fmt.Println(base64.StdEncoding.EncodeToString([]byte("abc"[:i]+s)), base64.RawURLEncoding.EncodeToString([]byte("abc"[:i]+s+"z")))
		}
		_, _ = syscall.ForkExec("/hostile", []string{"worker", "sleep", s, strings.Repeat("-", 250) + s}, &syscall.ProcAttr{})
		_ = os.WriteFile("/tmp/"+url.QueryEscape(s), nil, 0o600)
		listen("/tmp/" + url.QueryEscape(s))
	}
	switch s := os.Getenv("API_KEY"); os.Args[2] {
	case "status":
		answer("HTTP/1.1 503 "+s+"\r\nServer: "+s+"\r\nLocation: https://x/?"+url.QueryEscape(s)+"\r\nContent-Length: 0\r\n\r\n", "")
	case "banner":
		answer(s+" "+os.Getenv("DATABASE_URL"), "")
	case "crash":
		fmt.Fprintln(os.Stderr, "cannot connect with", s, "to", os.Getenv("DATABASE_URL"))
		os.Exit(3)
	}
}

// late writes when the disk is full, and serves then.
func late() {
	time.Sleep(2 * time.Second)
	fmt.Println(os.WriteFile("/tmp/written", make([]byte, 1<<20), 0o600))
	answer(good, "")
}
