package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/imglint/imglint/pkg/facts"
	"golang.org/x/sys/unix"
)

// observerPatience is how long the program may be held back for an observer
// that does not come up.
const observerPatience = 2 * second

// observerEnv keeps Go's scheduler from interrupting the one thread at work,
// every 10 ms, to ask it to let others.
var observerEnv = []string{"GODEBUG=asyncpreemptoff=1"}

// inject starts an observer and becomes the program: same process, same
// environment, directory, user and descriptors.
func inject(cfg Config, argv, self []string) (int, error) {
	// Capabilities belong to a thread, and execve takes those of its caller.
	runtime.LockOSThread()
	out := emitter{fd: 1, nonce: cfg.Nonce}
	line, err := startObserver(cfg, self)
	if err != nil {
		out.base = clock()
		out.emit(out.base, facts.Event{Kind: facts.EventLost, Errno: err.Error()})
	}
	if err := dropPtrace(); err != nil {
		fmt.Fprintln(os.Stderr, "imglint probe:", err)
	}
	out.base = clock()
	out.emit(out.base, facts.Event{Kind: facts.EventExec, PID: os.Getpid(), Argv: argv})
	if line >= 0 {
		// An observer that is gone is noticed by its silence.
		_, _ = unix.Write(line, native.AppendUint64(nil, uint64(out.base)))
	}
	path, err := lookPath(argv[0])
	if err == nil {
		err = syscall.Exec(path, argv, syscall.Environ())
	}
	out.emit(clock(), execError(argv, path, err))
	return execStatus(err), nil
}

func execError(argv []string, path string, err error) facts.Event {
	return facts.Event{Kind: facts.EventExecError, Argv: argv, Path: path, Errno: errnoName(err)}
}

// execStatus is the status that a shell gives.
func execStatus(err error) int {
	if err == unix.ENOENT {
		return 127
	}
	return 126
}

// startObserver starts the observer and waits until it looks. It returns the
// pipe on which the observer waits for the program's first instant, and which
// tells by its end that the program was executed.
func startObserver(cfg Config, self []string) (line int, err error) {
	var config, ready [2]int
	if err := unix.Pipe2(config[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("make pipe: %w", err)
	}
	defer unix.Close(config[0])
	if err := unix.Pipe2(ready[:], unix.O_CLOEXEC); err != nil {
		unix.Close(config[1])
		return -1, fmt.Errorf("make pipe: %w", err)
	}
	defer unix.Close(ready[0])
	_, err = startSelf(self, []string{RoleObserve}, observerEnv, []int{config[0], 1, ready[1]})
	unix.Close(ready[1])
	if err == nil {
		err = handOver(cfg, config[1], ready[0])
	}
	if err != nil {
		unix.Close(config[1])
		return -1, fmt.Errorf("start observer: %w", err)
	}
	return config[1], nil
}

// startSelf starts another role of the binary in a session of its own, where
// no signal for the program's group reaches it.
func startSelf(self, role, env []string, files []int) (pid int, err error) {
	attr := &syscall.ProcAttr{Env: env, Sys: &syscall.SysProcAttr{Setsid: true}}
	for _, fd := range files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	argv := append(self[:len(self):len(self)], role...)
	pid, err = syscall.ForkExec("/proc/self/exe", argv, attr)
	if err != nil {
		pid, err = syscall.ForkExec(self[0], argv, attr)
	}
	return pid, err
}

func handOver(cfg Config, config, ready int) error {
	text, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	if _, err := unix.Write(config, append(text, '\n')); err != nil {
		return err
	}
	for end := clock() + observerPatience; ; {
		fds := []unix.PollFd{{Fd: int32(ready), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(end-clock(), 0)/millisecond))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.ETIMEDOUT
		}
		var one [1]byte
		if got, err := receive(ready, one[:]); got != 1 || err != nil {
			return unix.ECHILD
		}
		return nil
	}
}
