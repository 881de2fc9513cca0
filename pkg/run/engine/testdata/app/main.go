// Command app is the program of the test images: it does what its first
// argument says.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch what, args := os.Args[1], os.Args[2:]; what {
	case "serve": // ADDRESS
		serve(args[0])
	case "selfish": // ADDRESS
		selfish(args[0])
	case "talk": // ADDRESS GREETING
		talk(args[0], args[1])
	case "exit": // CODE WORDS
		fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "later": // CODE WORDS
		time.Sleep(time.Second)
		fmt.Fprintln(os.Stderr, strings.Join(args[1:], " "))
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "daemonize": // ADDRESS
		daemonize(args[0])
	case "eat":
		eat()
	case "limit": // of its memory, as runtimes look for it
		for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
			if text, err := os.ReadFile("/sys/fs/cgroup/" + name); err == nil {
				fmt.Printf("limit %s", text)
			}
		}
	case "flood": // LINES ADDRESS
		n, _ := strconv.Atoi(args[0])
		for i := range n {
			fmt.Println("line", i, strings.Repeat("x", 100))
		}
		serve(args[1])
	case "who":
		fmt.Println("uid", os.Getuid(), "pid", os.Getpid(), "env", os.Getenv("GREETING"))
	case "volume":
		seed, err := os.ReadFile("/data/seed")
		if err == nil {
			err = os.WriteFile("/data/new", nil, 0o644)
		}
		fmt.Printf("%s, written\n", seed)
		if err != nil {
			fmt.Println(err)
		}
	case "sudo":
		sudo()
	case "own": // UID FILE: what comes of giving the file away
		uid, _ := strconv.Atoi(args[0])
		fmt.Println(os.Chown(args[1], uid, uid))
	case "become": // UID PROGRAM ARGS
		uid, _ := strconv.Atoi(args[0])
		become(uid, args[1:])
	case "sleep":
		time.Sleep(time.Hour)
	}
}

// become changes users as gosu does.
func become(uid int, argv []string) {
	err := errors.Join(syscall.Setgroups([]int{uid}), syscall.Setgid(uid), syscall.Setuid(uid))
	if err == nil {
		err = syscall.Exec(argv[0], argv, os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serve(address string) {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("serving", l.Addr(), "bound", time.Now().UnixNano())
	_ = http.Serve(l, nil)
}

// selfish wants its port for itself, and is the first to close a connection.
func selfish(address string) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0) })
	}}
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })}
	server.SetKeepAlivesEnabled(false)
	_ = server.Serve(l)
}

func talk(address, greeting string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		fmt.Fprint(c, greeting)
		c.Close()
	}
}

// daemonize leaves a server in a session of its own behind.
func daemonize(address string) {
	child := exec.Command("/app", "serve", address)
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	time.Sleep(200 * time.Millisecond)
}

func eat() {
	var all [][]byte
	for {
		block := make([]byte, 8<<20)
		for i := range block {
			block[i] = 1
		}
		all = append(all, block)
	}
}

// sudo complains as sudo does where privileges cannot be gained.
func sudo() {
	status, _ := os.ReadFile("/proc/self/status")
	if strings.Contains(string(status), "NoNewPrivs:\t1") {
		fmt.Fprintln(os.Stderr, `sudo: The "no new privileges" flag is set, which prevents sudo from running as root.`)
		os.Exit(1)
	}
	fmt.Println("gained")
	os.Exit(7)
}
