package probe

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// shimFD is the pipe on which a shim reports.
const shimFD = 3

// shimReport is one line of a shim: first Base, then PID or Errno, and last
// Ended. Times are on the shared clock.
type shimReport struct {
	Base  instant `json:"base,omitempty"`
	PID   int     `json:"pid,omitempty"`
	Path  string  `json:"path,omitempty"`
	Errno int     `json:"errno,omitempty"`
	Ended instant `json:"ended,omitempty"`
	Wait  uint32  `json:"wait,omitempty"` // a wait status
}

// shim is the program's parent in a wrapped run. exim, sshd and others take
// themselves for started by init when their parent is PID 1, and stay in the
// foreground; nothing can have such a parent in a real container.
func shim(args []string) (int, error) {
	if len(args) < 2 || args[0] != "--" {
		return exitUsage, errors.New("no program to run")
	}
	runtime.LockOSThread() // the program gets the capabilities of this thread
	unix.CloseOnExec(shimFD)
	out := json.NewEncoder(reportPipe{})
	if err := dropPtrace(); err != nil {
		return exitUsage, err
	}
	if err := out.Encode(shimReport{Base: clock()}); err != nil {
		return exitUsage, err
	}
	pid, path, err := startProgram(args[1:])
	if err != nil {
		errno, _ := err.(unix.Errno)
		return execStatus(err), out.Encode(shimReport{Path: path, Errno: int(errno)})
	}
	if err := out.Encode(shimReport{PID: pid}); err != nil {
		return exitUsage, err
	}
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return exitUsage, err
	}
	return 0, out.Encode(shimReport{Ended: clock(), Wait: uint32(status)})
}

// startProgram starts it as a session leader, as runc does: setsid(1) forks
// only from a group leader, and would seem to stay in the foreground.
func startProgram(argv []string) (pid int, path string, err error) {
	path, err = lookPath(argv[0])
	if err != nil {
		return 0, path, err
	}
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env:   syscall.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	return pid, path, err
}

// reportPipe writes each report with one write.
type reportPipe struct{}

func (reportPipe) Write(line []byte) (int, error) {
	n, err := unix.Write(shimFD, line)
	if err != nil {
		return n, os.NewSyscallError("report", err)
	}
	return n, nil
}
