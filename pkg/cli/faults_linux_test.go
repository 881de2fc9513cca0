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

// The faults are tried on an engine of the test's own, where everything can be
// counted before and after.

// imglint is a process of its own, not yet started.
func imglint(t *testing.T, temp string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asImglint+"=1", "TMPDIR="+temp)
	return cmd
}

// idle never listens.
func idle(t *testing.T) string {
	return build(t, "idle", "EXPOSE 8000", `CMD ["sleep", "600"]`)
}

// stopTries are twenty with Ctrl-C, three with SIGTERM, three with the end of
// the terminal.
const stopTries = 26

func stopSignal(n int) syscall.Signal {
	switch {
	case n >= 23:
		return syscall.SIGHUP
	case n >= 20:
		return syscall.SIGTERM
	}
	return syscall.SIGINT
}

// TestInterruptedAtAnyMoment: wherever Ctrl-C comes, a SIGTERM or the end of the
// terminal, the status says that nothing was checked, and nothing is left.
func TestInterruptedAtAnyMoment(t *testing.T) {
	ref, temp := idle(t), t.TempDir()
	e := startEngine(t, ref)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range stopTries {
		signal := stopSignal(n)
		after := time.Duration(20+random.IntN(2500)) * time.Millisecond
		cmd, out := e.imglint(t, temp, "--runner", "docker", ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(signal) })
		_ = cmd.Wait() // its status is looked at
		timer.Stop()
		if status := cmd.ProcessState.ExitCode(); status != ExitUnable && !killedBySignal(cmd) {
			t.Errorf("%v after %s: exit status %d, want %d; printed\n%s", signal, after, status, ExitUnable, out)
		}
		e.unchanged(t, fmt.Sprintf("%v after %s", signal, after), temp)
	}
}

// killedBySignal: before imglint listens for signals, the kernel ends it.
func killedBySignal(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// TestKilledAtAnyMoment: what a killed imglint leaves the next call removes.
func TestKilledAtAnyMoment(t *testing.T) {
	ref, good, temp := idle(t), build(t, "good", serving...), t.TempDir()
	e := startEngine(t, ref, good)
	random := rand.New(rand.NewPCG(3, 4))
	for range 4 {
		after := time.Duration(100+random.IntN(2500)) * time.Millisecond
		cmd, _ := e.imglint(t, temp, "--runner", "docker", ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its status says only that it was killed
		timer.Stop()
		e.clean(t, "kill -9 after "+after.String(), temp, good)
	}
}

// TestContainerRemovedBySomebodyElse: what somebody else ends is no fault of
// the image.
func TestContainerRemovedBySomebodyElse(t *testing.T) {
	ref, temp := idle(t), t.TempDir()
	e := startEngine(t, ref)
	for _, how := range [][]string{{"rm", "--force"}, {"kill"}, {"stop", "--time", "0"}} {
		cmd, out := e.imglint(t, temp, "--runner", "docker", "--boot-window", "5s", ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.docker(append(how, e.begun(t, cmd))...); err != nil {
			t.Fatal(err)
		}
		unjudged(t, "docker "+how[0], cmd, out)
		e.unchanged(t, "docker "+how[0], temp)
	}
}

// TestManyAtOnce: eight processes share an engine, and each says what it would
// say alone.
func TestManyAtOnce(t *testing.T) {
	good := build(t, "good", serving...)
	crash := build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)
	temp := t.TempDir()
	e := startEngine(t, good, crash)
	var all sync.WaitGroup
	for i := range 8 {
		ref, want := good, ExitClean
		if i%2 == 1 {
			ref, want = crash, ExitFindings
		}
		all.Go(func() {
			cmd, out := e.imglint(t, temp, ref)
			_ = cmd.Run() // its status is looked at
			if status := cmd.ProcessState.ExitCode(); status != want {
				t.Errorf("%s: exit status %d, want %d; printed\n%s", ref, status, want, out)
			}
		})
	}
	all.Wait()
	e.unchanged(t, "eight at once", temp)
}

// TestEngineStoppedInMidRun: an engine that is stopped or killed is no fault of
// the image, and what it could not remove any more the next call removes.
func TestEngineStoppedInMidRun(t *testing.T) {
	ref, good, temp := idle(t), build(t, "good", serving...), t.TempDir()
	e := startEngine(t, ref, good)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		cmd, out := e.imglint(t, temp, "--runner", "docker", ref)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		e.begun(t, cmd)
		began := time.Now()
		e.stop(signal)
		unjudged(t, signal.String(), cmd, out)
		t.Logf("%v: ended after %s: %s", signal, time.Since(began).Round(time.Second), out)
		e.start(t)
		e.clean(t, signal.String(), temp, good)
	}
}

// TestEngineKilledAndTheImageRunsOn: where the image's files can be read, the
// engine is not needed any more.
func TestEngineKilledAndTheImageRunsOn(t *testing.T) {
	late := build(t, "late", "EXPOSE 8000", `CMD ["sh", "-c", "sleep 2; exec httpd -f -p 8000"]`)
	good, temp := build(t, "good", serving...), t.TempDir()
	e := startEngine(t, late, good)
	cmd, out := e.imglint(t, temp, late)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e.begun(t, cmd)
	e.stop(syscall.SIGKILL)
	_ = cmd.Wait() // its status is looked at
	for _, want := range []string{"PASS", "not checked: a part of the run: it was run without the engine, because of that: ", e.host} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	e.start(t)
	e.clean(t, "killed", temp, good)
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
// run without it or not judged, the images after are told so at once, and the
// next call removes what could not be removed.
func TestEngineStallsInMidRun(t *testing.T) {
	good, ref, temp := build(t, "good", serving...), idle(t), t.TempDir()
	e := startEngine(t, good, ref)
	tests := []struct {
		runner string
		status int
		want   []string
		never  string
	}{
		{"docker", ExitUnable, []string{"imglint-fixtures/cli:idle: ", "did not answer"}, "FAIL"},
		{"auto", ExitUnable, []string{"[never-listens]", "it was run without the engine", "did not answer", "imglint-fixtures/cli:good: "}, "PASS"},
	}
	for _, test := range tests {
		s := newStallable(t, strings.TrimPrefix(e.host, "unix://"))
		cmd, out := e.imglint(t, temp, "--host", "unix://"+s.path, "--runner", test.runner, "--boot-window", "2s", "-j", "1", "--no-prove", ref, good)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.begun:
		case <-time.After(time.Minute):
			t.Error("the image was not started within a minute")
		}
		s.stalled.Store(true)
		began := time.Now()
		stuck := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its status is looked at
		stuck.Stop()
		t.Logf("--runner %s ended %s after the stall: %s", test.runner, time.Since(began).Round(time.Second), out.String())
		if status := cmd.ProcessState.ExitCode(); status != test.status || strings.Contains(out.String(), test.never) {
			t.Errorf("--runner %s: exit status %d, want %d and no %q", test.runner, status, test.status, test.never)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("--runner %s: want %q", test.runner, want)
			}
		}
		e.clean(t, "--runner "+test.runner, temp, good)
	}
}
