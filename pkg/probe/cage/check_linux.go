package cage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeper is what a keeper needs to carry out orders.
type keeper struct {
	self   []string
	config Config
	pid    int // of the container's first process
}

// obey carries out orders until imglint is gone; the kernel then ends the
// namespace with this process.
func obey(orders io.Reader, k keeper) {
	for {
		text, err := receive(orders)
		if err != nil {
			os.Exit(0)
		}
		var o Order
		if json.Unmarshal(text, &o) != nil {
			continue
		}
		if o.Signal != 0 {
			_ = unix.Kill(k.pid, unix.Signal(o.Signal)) // it may have ended
		}
		if o.Check == nil {
			continue
		}
		if err := k.check(*o.Check); err != nil {
			report(Report{Checked: &Checked{Failed: err.Error()}})
		}
	}
}

// checkConfig is what the check role is told.
type checkConfig struct {
	Config Config `json:"config"`
	Check  Check  `json:"check"`
}

// pidFD is the check role's descriptor of the container's first process.
const pidFD = 5

// check starts a process that enters the container and reports for itself.
func (k keeper) check(c Check) error {
	target, err := unix.PidfdOpen(k.pid, 0)
	if err != nil {
		return fmt.Errorf("open the container's first process: %w", err)
	}
	defer unix.Close(target)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	files := []uintptr{0, 1, 2, uintptr(pipe[0]), ReportFD, uintptr(target)}
	for i := range k.config.Cgroups {
		files = append(files, uintptr(CgroupFD+i))
	}
	_, err = syscall.ForkExec("/proc/self/exe", append(k.self, RoleCheck), &syscall.ProcAttr{
		Env: startEnv, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	unix.Close(pipe[0])
	to := os.NewFile(uintptr(pipe[1]), "config")
	defer to.Close()
	if err != nil {
		return fmt.Errorf("start check: %w", err)
	}
	k.config.Layers, k.config.Owners = nil, nil
	return sendJSON(to, checkConfig{k.config, c})
}

// RunCheck runs one command in a container. find finds a program along PATH.
func RunCheck(find func(string) (string, error)) (int, error) {
	runtime.LockOSThread() // it alone enters the container, and its child inherits that
	for fd := ControlFD; fd <= pidFD; fd++ {
		unix.CloseOnExec(fd)
	}
	text, err := receive(os.NewFile(ControlFD, "control"))
	if err != nil {
		return exitUsage, err
	}
	var c checkConfig
	if err := json.Unmarshal(text, &c); err != nil {
		return exitUsage, fmt.Errorf("decode config: %w", err)
	}
	done, err := c.run(find)
	if err != nil {
		done = Checked{Failed: err.Error()}
	}
	report(Report{Checked: &done})
	return 0, nil
}

// run enters the container and takes its program's place there.
func (c *checkConfig) run(find func(string) (string, error)) (Checked, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return Checked{}, fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.SetNonblock(pipe[0], true); err != nil { // else it has no deadline
		return Checked{}, fmt.Errorf("prepare pipe: %w", err)
	}
	output := os.NewFile(uintptr(pipe[0]), "output")
	if err := c.enter(pipe[1]); err != nil {
		return Checked{}, err
	}
	began := time.Now()
	path, err := find(c.Check.Argv[0])
	var pid int
	if err == nil {
		pid, err = syscall.ForkExec(path, c.Check.Argv, &syscall.ProcAttr{
			Env: c.Config.Env, Files: []uintptr{0, uintptr(pipe[1]), uintptr(pipe[1])}, Sys: &syscall.SysProcAttr{Setsid: true},
		})
	}
	unix.Close(pipe[1])
	if err != nil {
		return notStarted(c.Check.Argv[0], err), nil
	}
	done := await(output, pid, c.Check)
	done.Took = time.Since(began)
	return done, nil
}

// enter puts this thread into the container, with no more rights than the
// program has.
func (c *checkConfig) enter(output int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // threads that share it cannot change their mounts
		return fmt.Errorf("leave the other threads: %w", err)
	}
	for fd := CgroupFD; fd < CgroupFD+c.Config.Cgroups; fd++ {
		_, err := unix.Write(fd, []byte("0"))
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	spaces := inner
	if c.Config.Cgroups > 0 {
		spaces |= unix.CLONE_NEWCGROUP
	}
	if err := unix.Setns(pidFD, spaces); err != nil {
		return fmt.Errorf("enter the container: %w", err)
	}
	unix.Umask(0o022)
	if err := unix.Fchown(output, c.Config.UID, c.Config.GID); err != nil {
		return fmt.Errorf("give output to user %d: %w", c.Config.UID, err)
	}
	for _, kv := range c.Config.Env {
		if path, ok := strings.CutPrefix(kv, "PATH="); ok {
			os.Setenv("PATH", path)
		}
	}
	return c.Config.confine()
}

// notStarted says in an engine's words that a program could not be executed.
func notStarted(name string, err error) Checked {
	if errors.Is(err, unix.ENOENT) {
		if strings.Contains(name, "/") {
			return Checked{Code: 127, Output: fmt.Appendf(nil, "exec: %q: stat %s: no such file or directory", name, name)}
		}
		return Checked{Code: 127, Output: fmt.Appendf(nil, "exec: %q: executable file not found in $PATH", name)}
	}
	return Checked{Code: 126, Output: fmt.Appendf(nil, "exec: %q: %v", name, err)}
}

// leftoverPatience is how long output may go on after the command's end, from
// processes that it left behind.
const leftoverPatience = 500 * time.Millisecond

// await reads what the command writes until it has ended or its time is over.
func await(output *os.File, pid int, c Check) (done Checked) {
	over := time.NewTimer(c.Timeout)
	defer over.Stop()
	_ = output.SetReadDeadline(time.Now().Add(c.Timeout)) // a pipe has one
	code := make(chan int, 1)
	go func() {
		code <- exitCode(pid)
		_ = output.SetReadDeadline(time.Now().Add(leftoverPatience))
	}()
	buf := make([]byte, 32<<10)
	for err := error(nil); err == nil; {
		var n int
		n, err = output.Read(buf)
		done.Output = append(done.Output, buf[:n]...)
		done.Output = done.Output[max(0, len(done.Output)-c.Output):]
	}
	select {
	case done.Code = <-code:
	default:
		select { // it closed its output
		case done.Code = <-code:
		case <-over.C:
			done.TimedOut = true
		}
	}
	return done
}

// exitCode waits for a child.
func exitCode(pid int) int {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return -1
		case status.Signaled():
			return 128 + int(status.Signal())
		}
		return status.ExitStatus()
	}
}
