package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ownEngine is a Docker Engine of a test's own. It lives in namespaces of its
// own: it touches nothing of the machine's, ends with all that it started when
// it is killed, and everything in it is imglint's doing and can be counted.
type ownEngine struct {
	dir, host, cgroup string
	cmd               *exec.Cmd
	before            census
}

// startEngine starts one with the images in it, or skips the test.
func startEngine(t *testing.T, refs ...string) *ownEngine {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil || os.Getuid() != 0 {
		t.Skip("starts a Docker Engine of its own: needs root and dockerd")
	}
	// Sockets below it must keep within 108 bytes.
	dir, err := os.MkdirTemp("", "imglint-engine-")
	if err != nil {
		t.Fatal(err)
	}
	e := &ownEngine{dir: dir, host: "unix://" + dir + "/s", cgroup: filepath.Base(dir)}
	t.Cleanup(func() { e.remove(t) })
	e.start(t)
	e.load(t, refs...)
	e.settle(t)
	return e
}

func (e *ownEngine) start(t *testing.T) {
	t.Helper()
	const script = `mount --make-rprivate / && mount -t proc proc /proc && exec dockerd --data-root "$0/data" --exec-root "$0/exec" ` +
		`--pidfile "$0/pid" --host "unix://$0/s" --iptables=false --ip6tables=false --cgroup-parent "/$1"`
	log, err := os.Create(filepath.Join(e.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// One that was killed leaves files that name processes of its namespace.
	for _, name := range []string{"pid", "exec"} {
		if err := os.RemoveAll(filepath.Join(e.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	e.cmd = exec.Command("sh", "-c", script, e.dir, e.cgroup)
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
	}
	if err := e.cmd.Start(); err != nil {
		t.Skipf("cannot start an engine in namespaces of its own: %v", err)
	}
	until(t, "the engine answers", func() bool {
		_, err := e.docker("version", "--format", "{{.Server.Version}}")
		return err == nil
	})
}

// settle takes the census once nothing changes any more.
func (e *ownEngine) settle(t *testing.T) {
	t.Helper()
	tick, same := time.NewTicker(200*time.Millisecond), 0
	defer tick.Stop()
	until(t, "the engine settles", func() bool {
		now := e.census(t)
		if same++; !maps.Equal(now, e.before) {
			e.before, same = now, 0
		}
		<-tick.C
		return same == 5
	})
}

// stop ends it by a signal and waits for its end.
func (e *ownEngine) stop(signal syscall.Signal) {
	_ = e.cmd.Process.Signal(signal)
	stuck := time.AfterFunc(30*time.Second, func() { _ = e.cmd.Process.Kill() })
	_ = e.cmd.Wait() // however it ends
	stuck.Stop()
}

func (e *ownEngine) remove(t *testing.T) {
	e.stop(syscall.SIGKILL)
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + e.cgroup)
	for _, group := range append(groups, "/sys/fs/cgroup/"+e.cgroup) {
		var dirs []string
		_ = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			_ = os.Remove(dir) // of a control group, although it looks full
		}
	}
	if err := os.RemoveAll(e.dir); err != nil {
		t.Errorf("remove the engine's files: %v", err)
	}
}

// docker runs the docker command on this engine.
func (e *ownEngine) docker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", append([]string{"--host", e.host}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}

// load takes images over from the machine's own engine.
func (e *ownEngine) load(t *testing.T, refs ...string) {
	t.Helper()
	saved, err := exec.Command("docker", append([]string{"save"}, refs...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	load := exec.Command("docker", "--host", e.host, "load", "--quiet")
	load.Stdin = bytes.NewReader(saved)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("load: %v: %s", err, out)
	}
}

// cache is the directory for imglint's own cache.
func (e *ownEngine) cache() string { return filepath.Join(e.dir, "cache") }

// census counts what there is in an engine of a test's own.
type census map[string]int

// census also counts what its processes hold, as the kernel sees it.
func (e *ownEngine) census(t *testing.T) census {
	t.Helper()
	c := census{}
	for what, list := range map[string][]string{
		"containers": {"ps", "--all", "--quiet"},
		"volumes":    {"volume", "ls", "--quiet"},
		"networks":   {"network", "ls", "--quiet"},
		"images":     {"image", "ls", "--all", "--quiet"},
	} {
		out, err := e.docker(list...)
		if err != nil {
			t.Fatalf("list %s: %v", what, err)
		}
		c[what] = len(strings.Fields(out))
	}
	proc := filepath.Join("/proc", strconv.Itoa(e.cmd.Process.Pid))
	mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	c["mounts"] = bytes.Count(mounts, []byte(e.dir)) // not those that the machine had
	// Its /proc shows the processes of its namespace.
	links, err := filepath.Glob(filepath.Join(proc, "root/proc/[0-9]*/ns/*"))
	if err != nil {
		t.Fatal(err)
	}
	namespaces, processes := map[string]bool{}, map[string]bool{}
	for _, link := range links {
		to, err := os.Readlink(link)
		if err == nil {
			namespaces[to] = true
		}
		if filepath.Base(link) == "mnt" && err == nil { // a zombie has none; nobody collects those of PID 1
			processes[filepath.Dir(filepath.Dir(link))] = true
		}
	}
	c["namespaces"], c["processes"] = len(namespaces), len(processes)
	c["files"] = filesIn(t, e.cache())
	return c
}

// unchanged wants the engine to hold what it held before, after what it is
// still doing, and the directory for temporary files to be empty.
func (e *ownEngine) unchanged(t *testing.T, when, temp string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		now := e.census(t)
		files, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		// Docker's own processes come and go: more than before are left.
		now["processes"] = max(now["processes"], e.before["processes"])
		diff := cmp.Diff(e.before, now)
		if diff == "" && len(files) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: temporary files %v, and in the engine (-before +now):\n%s", when, files, diff)
		}
	}
}

// imglint is a process that checks images of this engine, not yet started.
func (e *ownEngine) imglint(t *testing.T, temp string, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := imglint(t, temp, append([]string{"--host", e.host}, args...)...)
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+e.cache())
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// begun waits until the image of a process runs, and returns its container.
func (e *ownEngine) begun(t *testing.T, cmd *exec.Cmd) (target string) {
	t.Helper()
	until(t, "the image runs", func() bool {
		id, err := e.docker("ps", "--quiet", "--no-trunc", "--filter", "label=dev.imglint.role=target",
			"--filter", fmt.Sprintf("label=dev.imglint.pid=%d", cmd.Process.Pid))
		target = id
		return err == nil && id != ""
	})
	return target
}

// clean checks a good image and wants nothing to be left.
func (e *ownEngine) clean(t *testing.T, when, temp, good string) {
	t.Helper()
	cmd, out := e.imglint(t, temp, good)
	if err := cmd.Run(); err != nil {
		t.Errorf("%s: the call after: %v\n%s", when, err, out)
	}
	e.unchanged(t, when, temp)
}

// unjudged wants a call to say that it could not check.
func unjudged(t *testing.T, when string, cmd *exec.Cmd, out fmt.Stringer) {
	t.Helper()
	_ = cmd.Wait() // its status is looked at
	text := out.String()
	if status := cmd.ProcessState.ExitCode(); status != ExitUnable || strings.Contains(text, "PASS") || strings.Contains(text, "FAIL") {
		t.Errorf("%s: exit status %d, want %d and no verdict; printed\n%s", when, status, ExitUnable, text)
	}
}
