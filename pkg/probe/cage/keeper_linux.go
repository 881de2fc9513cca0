package cage

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const exitUsage = 125

// startEnv keeps Go's scheduler from interrupting the one thread at work.
var startEnv = []string{"GODEBUG=asyncpreemptoff=1"}

// inner are the namespaces of the container itself; the keeper has a PID
// namespace around it, and the user namespace.
const inner = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// Keep starts the container and stays until it or imglint ends. self is how
// the binary is called before the role.
func Keep(self []string) (int, error) {
	unix.CloseOnExec(ReportFD)
	unix.CloseOnExec(BinaryFD)
	control := os.NewFile(ControlFD, "control")
	text, err := receive(control)
	if err != nil {
		return exitUsage, err
	}
	if len(text) == 0 {
		for fd := uintptr(ControlFD); fd <= BinaryFD; fd++ {
			_, _ = unix.FcntlInt(fd, unix.F_SETFD, 0)
		}
		return exitUsage, syscall.Exec("/proc/self/exe", append(self, RoleKeeper), startEnv)
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return exitUsage, fmt.Errorf("decode config: %w", err)
	}
	if c.Remove != "" {
		if err := os.RemoveAll(c.Remove); err != nil {
			report(Report{Failed: err.Error()})
			return exitUsage, nil
		}
		report(Report{Ended: true})
		return 0, nil
	}
	pid, err := enter(self, text, c)
	if err != nil {
		report(Report{Failed: err.Error()})
		return exitUsage, err
	}
	report(Report{Started: true})
	go obey(control, keeper{self: self, config: c, pid: pid})
	var status unix.WaitStatus
	for {
		got, err := unix.Wait4(-1, &status, 0, nil)
		if got == pid {
			break
		}
		if err != nil && err != unix.EINTR {
			return exitUsage, fmt.Errorf("wait for the container: %w", err)
		}
	}
	report(Report{Ended: true, Wait: uint32(status)})
	return 0, nil
}

// enter starts the container's first process. The keeper lets go of the
// program's output, whose end tells that nobody writes to it any more.
func enter(self []string, config []byte, c Config) (pid int, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("make pipe: %w", err)
	}
	asks, notify, err := listen(c.Pretend)
	if err != nil {
		return 0, err
	}
	files := []uintptr{0, 1, 2, uintptr(pipe[0]), ReportFD, notify}
	for i := range c.Cgroups {
		files = append(files, uintptr(CgroupFD+i))
	}
	for i := range c.Cgroups { // a check enters them too
		unix.CloseOnExec(CgroupFD + i)
	}
	pid, err = syscall.ForkExec("/proc/self/exe", append(self, RoleEnter), &syscall.ProcAttr{
		Env:   startEnv,
		Files: files,
		Sys:   &syscall.SysProcAttr{Cloneflags: inner, Setsid: true, Pdeathsig: unix.SIGKILL},
	})
	unix.Close(pipe[0])
	if c.Pretend {
		unix.Close(int(notify))
		go supervise(asks)
	}
	if err != nil {
		return 0, fmt.Errorf("make namespaces: %w", err)
	}
	if err := unix.Dup3(0, 1, 0); err == nil {
		_ = unix.Dup3(0, 2, 0) // its output then ends a little later
	}
	to := os.NewFile(uintptr(pipe[1]), "config")
	defer to.Close()
	return pid, send(to, config)
}

// listen makes a socket by which the container sends what to supervise.
func listen(wanted bool) (mine int, theirs uintptr, err error) {
	const closed = ^uintptr(0)
	if !wanted {
		return -1, closed, nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, closed, fmt.Errorf("make sockets: %w", err)
	}
	return pair[0], uintptr(pair[1]), nil
}

// report writes one line. When imglint does not read, it is gone.
func report(r Report) {
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	_, _ = unix.Write(ReportFD, append(line, '\n'))
}
