package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/imglint/imglint/pkg/probe/embed"
)

// hostileArchive is an archive of an image that does what the words say.
func hostileArchive(t *testing.T, words ...string) string {
	t.Helper()
	if !embed.Standalone(runtime.GOARCH) {
		t.Skip("no probe in this build: run make probe")
	}
	program := filepath.Join(t.TempDir(), "hostile")
	compile := exec.Command("go", "build", "-trimpath", "-o", program, "./testdata/hostile")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build hostile: %v\n%s", err, text)
	}
	file := filepath.Join(t.TempDir(), "hostile.tar")
	archived(t, file, program, v1.Config{Cmd: append([]string{"/app"}, words...), ExposedPorts: map[string]struct{}{"8000/tcp": {}}})
	return file
}

// here are the arguments that run an archive without an engine.
func here(args ...string) []string {
	return append([]string{"--host", noEngine, "--runner", "local", "--no-prove"}, args...)
}

// TestLocalStoppedAtAnyMoment: wherever Ctrl-C comes, a SIGTERM or the end of
// the terminal, the status says that nothing was checked, and nothing is left.
// Every other time the layers are not unpacked yet.
func TestLocalStoppedAtAnyMoment(t *testing.T) {
	file := hostileArchive(t, "sleep")
	m := machineOf(t)
	m.warm(t, here(servingArchive(t, 0))...)
	random := rand.New(rand.NewPCG(5, 6))
	for n := range stopTries {
		signal := stopSignal(n)
		after := time.Duration(5+random.IntN(900)) * time.Millisecond
		if n%2 == 0 {
			removeAll(t, m.cache)
		}
		cmd, out := m.imglint(t, here(file)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Signal(signal) })
		_ = cmd.Wait() // its status is looked at
		timer.Stop()
		if status := cmd.ProcessState.ExitCode(); status != ExitUnable && !killedBySignal(cmd) {
			t.Errorf("%v after %s: exit status %d, want %d; printed\n%s", signal, after, status, ExitUnable, out)
		}
		m.unchanged(t, fmt.Sprintf("%v after %s", signal, after))
	}
}

// removeAll empties a directory.
func removeAll(t *testing.T, dir string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLocalKilledAtAnyMoment: with a killed imglint the kernel ends what it
// started, and what it leaves of files and control groups the next call removes.
func TestLocalKilledAtAnyMoment(t *testing.T) {
	file, good := hostileArchive(t, "sleep"), servingArchive(t, 8<<20)
	m := machineOf(t)
	m.warm(t, here(good)...)
	random := rand.New(rand.NewPCG(7, 8))
	for n := range 8 {
		if n%2 == 0 {
			removeAll(t, m.cache)
		}
		after := time.Duration(5+random.IntN(700)) * time.Millisecond
		cmd, _ := m.imglint(t, here(file)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its status says only that it was killed
		timer.Stop()
		until(t, "the kernel ends all processes", func() bool { return len(descendants(os.Getpid())) == 0 })
		next, out := m.imglint(t, here(good)...)
		if err := next.Run(); err != nil {
			t.Errorf("kill -9 after %s: the call after: %v\n%s", after, err, out)
		}
		m.unchanged(t, "kill -9 after "+after.String())
	}
}

// TestLocalManyAtOnce: eight processes unpack the same layers, and each says
// what it would say alone.
func TestLocalManyAtOnce(t *testing.T) {
	good, crash := servingArchive(t, 4<<20), hostileArchive(t, "secrets", "crash")
	m := machineOf(t)
	m.warm(t, here(good)...)
	removeAll(t, m.cache)
	var all sync.WaitGroup
	for i := range 8 {
		file, want := good, ExitClean
		if i%2 == 1 {
			file, want = crash, ExitFindings
		}
		cmd, out := m.imglint(t, here(file)...)
		all.Go(func() {
			_ = cmd.Run() // its status is looked at
			if status := cmd.ProcessState.ExitCode(); status != want {
				t.Errorf("%s: exit status %d, want %d; printed\n%s", file, status, want, out)
			}
		})
	}
	all.Wait()
	m.unchanged(t, "eight at once")
}

// TestLocalDiskFull: a disk that is full while layers are unpacked is said so,
// and one that becomes full while the image runs does not matter to it.
func TestLocalDiskFull(t *testing.T) {
	file := servingArchive(t, 16<<20)
	m := machineOf(t)
	m.warm(t, here(file)...)
	removeAll(t, m.cache)
	if err := syscall.Mount("none", m.cache, "tmpfs", 0, "size=8m,mode=755"); err != nil {
		t.Skipf("makes a small disk: %v", err)
	}
	mounted := true
	unmount := func() {
		if mounted {
			mounted = false
			if err := syscall.Unmount(m.cache, 0); err != nil {
				t.Errorf("unmount %s, which somebody still uses: %v", m.cache, err)
				_ = syscall.Unmount(m.cache, syscall.MNT_DETACH)
			}
		}
	}
	t.Cleanup(unmount)
	cmd, out := m.imglint(t, here(file)...)
	_ = cmd.Run() // its status is looked at
	if status := cmd.ProcessState.ExitCode(); status != ExitUnable || !strings.Contains(out.String(), "there is no room to unpack the image in "+m.cache) {
		t.Errorf("unpacking: exit status %d, printed\n%s", status, out)
	}
	small := hostileArchive(t, "late")
	cmd, out = m.imglint(t, here(small)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the image is unpacked", func() bool {
		found, _ := filepath.Glob(filepath.Join(m.cache, "imglint/layers/*/sha256-*.lock"))
		return len(found) > 0 && len(descendants(cmd.Process.Pid)) > 0
	})
	fill(t, filepath.Join(m.cache, "filled"))
	_ = cmd.Wait() // its status is looked at
	if status := cmd.ProcessState.ExitCode(); status != ExitClean || !strings.Contains(out.String(), "PASS") {
		t.Errorf("running: exit status %d, printed\n%s", status, out)
	}
	if err := os.Remove(filepath.Join(m.cache, "filled")); err != nil {
		t.Fatal(err)
	}
	files := m.census(t)["files"]
	unmount()
	if m.unchanged(t, "a full disk"); files != m.before["files"] {
		t.Errorf("%d files are left on the full disk", files)
	}
}

// fill writes a file until there is no room.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); err == nil; {
		_, err = f.Write(block)
	}
}

// TestNobodyReads: a reader of the report that goes away takes nothing from
// the status, and nothing is left.
func TestNobodyReads(t *testing.T) {
	file := hostileArchive(t, "secrets", "crash")
	calls := map[string][]string{"local": here(file, file)}
	if _, err := docker(t, "version"); err == nil && !testing.Short() {
		calls["docker"] = []string{"--runner", "docker", "--no-prove", build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)}
	}
	m := machineOf(t)
	m.warm(t, here(servingArchive(t, 0))...)
	for runner, args := range calls {
		t.Run(runner, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd, out := m.imglint(t, args...)
			cmd.Stdout = writer
			reader.Close()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			writer.Close()
			_ = cmd.Wait() // its status is looked at
			if status := cmd.ProcessState.ExitCode(); status != ExitFindings || out.String() != "" {
				t.Errorf("exit status %d, want %d; said %q", status, ExitFindings, out)
			}
			leftBy(t, cmd.Process.Pid)
			m.unchanged(t, "nobody reads")
		})
	}
}
