package cli

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// traces lists what imglint could leave: on the engine, and in the directory
// that it is given for temporary files.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	all := left(t)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, filepath.Join(dir, f.Name()))
	}
	return all
}

// imglint is a process of its own, not yet started.
func imglint(t *testing.T, temp string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asImglint+"=1", "TMPDIR="+temp)
	return cmd
}

// TestInterruptedAtAnyMoment: wherever Ctrl-C comes, the status says that
// nothing was checked, unless all was done already, and nothing is left.
func TestInterruptedAtAnyMoment(t *testing.T) {
	ref := build(t, "idle", "EXPOSE 8000", `CMD ["sleep", "600"]`)
	temp := t.TempDir()
	before := traces(t, temp)
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		after := time.Duration(50+random.IntN(2500)) * time.Millisecond
		cmd := imglint(t, temp, ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(syscall.SIGINT) })
		err := cmd.Wait()
		timer.Stop()
		if status := cmd.ProcessState.ExitCode(); status != ExitUnable && !killedBySignal(cmd) {
			t.Errorf("Ctrl-C after %s: exit status %d (%v), want %d", after, status, err, ExitUnable)
		}
		if now := traces(t, temp); len(now) > len(before) {
			t.Fatalf("Ctrl-C after %s left %v, before there was %v", after, now, before)
		}
	}
}

// killedBySignal: before imglint listens for signals, the kernel ends it.
func killedBySignal(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// TestContainerRemovedBySomebodyElse: what somebody else ends is no fault of
// the image.
func TestContainerRemovedBySomebodyElse(t *testing.T) {
	ref := build(t, "idle", "EXPOSE 8000", `CMD ["sleep", "600"]`)
	temp := t.TempDir()
	before := left(t)
	cmd := imglint(t, temp, ref)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var target string
	until(t, "the image runs", func() bool {
		id, err := docker(t, "ps", "--quiet", "--no-trunc", "--filter", "ancestor="+ref, "--filter", "label=dev.imglint.role=target",
			"--filter", fmt.Sprintf("label=dev.imglint.pid=%d", cmd.Process.Pid))
		target = id
		return err == nil && id != ""
	})
	if _, err := docker(t, "rm", "--force", target); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at
	if status := cmd.ProcessState.ExitCode(); status != ExitUnable {
		t.Errorf("exit status %d, want %d; printed\n%s", status, ExitUnable, out.String())
	}
	if strings.Contains(out.String(), "PASS") || strings.Contains(out.String(), "FAIL") {
		t.Errorf("judged an image that it could not watch:\n%s", out.String())
	}
	if now := traces(t, temp); len(now) > len(before) {
		t.Errorf("left %v, before there was %v", now, before)
	}
}

// TestManyAtOnce: six processes share an engine, and each says what it would
// say alone.
func TestManyAtOnce(t *testing.T) {
	good := build(t, "good", serving...)
	crash := build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)
	temp := t.TempDir()
	before := traces(t, temp)
	var all sync.WaitGroup
	for i := range 6 {
		ref, want := good, ExitClean
		if i%2 == 1 {
			ref, want = crash, ExitFindings
		}
		all.Go(func() {
			out, err := imglint(t, temp, ref).CombinedOutput()
			status := 0
			if exit, ok := err.(*exec.ExitError); ok {
				status = exit.ExitCode()
			}
			if status != want {
				t.Errorf("%s: exit status %d, want %d (%v); printed\n%s", ref, status, want, err, out)
			}
		})
	}
	all.Wait()
	if now := traces(t, temp); len(now) > len(before) {
		t.Errorf("left %v, before there was %v", now, before)
	}
}

// stallable is a socket that forwards to the engine until it is told to stall.
type stallable struct {
	path    string
	stalled atomic.Bool
	begun   chan struct{} // closed when a container was started through it
	once    sync.Once
}

func newStallable(t *testing.T, engine string) *stallable {
	t.Helper()
	s := &stallable{path: filepath.Join(t.TempDir(), "s"), begun: make(chan struct{})}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.forward(c, engine)
		}
	}()
	return s
}

func (s *stallable) forward(c net.Conn, engine string) {
	u, err := net.Dial("unix", engine)
	if err != nil {
		c.Close()
		return
	}
	go s.pipe(c, u, false)
	s.pipe(u, c, true)
}

// pipe forwards; what comes while the socket is stalled is lost.
func (s *stallable) pipe(from, to net.Conn, answers bool) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !s.stalled.Load() {
			if answers && strings.Contains(string(buf[:n]), `"kind":"exec"`) {
				s.once.Do(func() { close(s.begun) })
			}
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// TestEngineStallsInMidRun: an engine that goes silent is named, the image is
// not judged, and the next call removes what could not be removed.
func TestEngineStallsInMidRun(t *testing.T) {
	const engine = "/var/run/docker.sock"
	good := build(t, "good", serving...)
	ref := build(t, "idle", "EXPOSE 8000", `CMD ["sleep", "600"]`)
	if _, err := os.Stat(engine); err != nil {
		t.Skipf("needs the engine's socket: %v", err)
	}
	temp, before := t.TempDir(), left(t)
	s := newStallable(t, engine)
	cmd := imglint(t, temp, "--host", "unix://"+s.path, "--runner", "docker", "--boot-window", "2s", ref)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.begun:
	case <-time.After(time.Minute):
		t.Error("the image was not started within a minute")
	}
	s.stalled.Store(true)
	stuck := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	began := time.Now()
	_ = cmd.Wait() // its status is looked at
	stuck.Stop()
	t.Logf("ended %s after the stall: %s", time.Since(began).Round(time.Second), out.String())
	if status := cmd.ProcessState.ExitCode(); status != ExitUnable || !strings.Contains(out.String(), "did not answer") {
		t.Errorf("exit status %d, want %d and the engine named; printed\n%s", status, ExitUnable, out.String())
	}
	if status, _, errs := call(t, nil, good); status != ExitClean {
		t.Errorf("the call after: exit status %d, said %q", status, errs)
	}
	if now := traces(t, temp); len(now) > len(before) {
		t.Errorf("the call after left %v, before there was %v", now, before)
	}
}
