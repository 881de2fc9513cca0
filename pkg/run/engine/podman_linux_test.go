package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// podman is a Podman of a test's own: all it has is in one directory.
type podman struct{ dir string }

// limitsConf keeps Podman from raising limits, which it may not everywhere.
const limitsConf = `[containers]
default_ulimits = ["nofile=%d:%[1]d", "nproc=%d:%[2]d"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
`

// startPodman starts one, and has DOCKER_HOST point at it; or skips the test.
func startPodman(t *testing.T) *podman {
	t.Helper()
	if testing.Short() {
		t.Skip("starts containers: not with -short")
	}
	if _, err := exec.LookPath("podman"); err != nil || os.Getuid() != 0 {
		t.Skip("starts a Podman of its own: needs root and podman")
	}
	dir, err := os.MkdirTemp("", "imglint-podman-") // sockets below it must keep within 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	p := &podman{dir}
	var files, processes syscall.Rlimit
	const rlimitNproc = 6
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Getrlimit(rlimitNproc, &processes); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "containers.conf"), fmt.Sprintf(limitsConf, min(files.Max, 1024), min(processes.Max, 4096)))
	service := p.command("system", "service", "--time=0", "unix://"+dir+"/s")
	var log bytes.Buffer
	service.Stderr = &log
	if err := service.Start(); err != nil {
		t.Skipf("cannot start podman: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = service.Wait() }()
	t.Cleanup(func() {
		_, _ = p.command("rm", "--all", "--force", "--time", "0").CombinedOutput()
		_ = service.Process.Kill()
		<-ended
		p.reap()
		p.remove(t)
	})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		if _, err := os.Stat(filepath.Join(dir, "s")); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Skipf("podman does not run here: %s", log.String())
		case <-deadline:
			t.Fatal("podman does not listen")
		}
	}
	t.Setenv("DOCKER_HOST", "unix://"+dir+"/s")
	t.Setenv("DOCKER_API_VERSION", "")
	return p
}

// command is one of podman's, for this one alone.
func (p *podman) command(args ...string) *exec.Cmd {
	own := []string{"--root", p.dir + "/root", "--runroot", p.dir + "/run", "--tmpdir", p.dir + "/tmp",
		"--network-config-dir", p.dir + "/networks", "--storage-driver", "vfs"}
	if runc, err := exec.LookPath("runc"); err == nil {
		own = append(own, "--runtime", runc) // older ones of crun do not know every layout of control groups
	}
	cmd := exec.Command("podman", append(own, args...)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+p.dir+"/containers.conf")
	return cmd
}

// reap ends what watched commands inside containers: for five minutes after
// their end it waits for somebody to ask how they ended.
func (p *podman) reap() {
	for range 50 {
		left := false
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if words := strings.Split(string(text), "\x00"); filepath.Base(words[0]) != "conmon" || !strings.Contains(string(text), p.dir+"/") {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
				left = true
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if !left {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p *podman) remove(t *testing.T) {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], p.dir) {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Errorf("remove podman's files: %v", err)
	}
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/libpod_parent")
	for _, group := range append(groups, "/sys/fs/cgroup/libpod_parent") {
		_ = os.Remove(filepath.Join(group, "conmon")) // which fail while another Podman uses them
		_ = os.Remove(group)
	}
}

// load gives Podman an image with more configuration than an import can have.
func (p *podman) load(t *testing.T, e *Engine, config string) string {
	t.Helper()
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	read := func(r io.Reader) string {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	layer := read(pack(t, []node{{name: "app", content: string(program), mode: 0o755}, {name: "etc/", mode: 0o755},
		{name: "etc/passwd", content: "root:x:0:0::/:/x\nweb:x:1000:1000::/:/x\n", mode: 0o644},
		{name: "mine", content: "#!/app\n", mode: 0o700, uid: 1000}}))
	const tag = "imglint-podman:1"
	arch := e.Architecture()
	image := fmt.Sprintf(`{"created":"2026-01-01T00:00:00Z","architecture":%q,"os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%x"]},"history":[{"created":"2026-01-01T00:00:00Z","created_by":"COPY app"}]}`,
		arch, config, sha256.Sum256([]byte(layer)))
	archive := pack(t, []node{{name: "layer.tar", content: layer, mode: 0o644}, {name: "config.json", content: image, mode: 0o644},
		{name: "manifest.json", content: `[{"Config":"config.json","RepoTags":["` + tag + `"],"Layers":["layer.tar"]}]`, mode: 0o644}})
	load := p.command("load")
	load.Stdin = archive
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("load: %v: %s", err, out)
	}
	return tag
}

// TestPodman holds Podman to what Docker does.
func TestPodman(t *testing.T) {
	p := startPodman(t)
	e := connect(t)
	ref := p.load(t, e, `{"Cmd":["/app","serve",":8000"],"ExposedPorts":{"8000/tcp":{}},"Healthcheck":{"Test":["CMD","/app","exit","0","fine"]}}`)
	nothing := func(t *testing.T) {
		t.Helper()
		for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"volume", "ls", "--quiet"}, {"images", "--quiet", "--filter", "label=dev.imglint"}} {
			if out, err := p.command(list...).Output(); err != nil || len(out) > 0 {
				t.Errorf("%v after all: %q, %v", list, out, err)
			}
		}
	}
	t.Run("what is seen", func(t *testing.T) { p.sees(t, e, ref) })
	t.Run("an unknown user", func(t *testing.T) {
		seen := observe(t, e, ref, func(s *run.Spec) { s.User = "nobody-there" }, "/app", "who")
		if seen.Exit == nil || !strings.Contains(seen.Exit.Refused, "nobody-there") {
			t.Errorf("exit %+v, want Podman's refusal", seen.Exit)
		}
	})
	t.Run("several images", func(t *testing.T) { renewed(t, e, ref) })
	t.Run("owners that are not told", func(t *testing.T) {
		im := open(t, connect(t, static), ref)
		info, err := im.Files().(interface {
			Stat(string) (os.FileInfo, error)
		}).Stat("mine")
		if err != nil {
			t.Fatal(err)
		}
		if owned, ok := info.(interface{ Owner() (int, int) }); ok {
			uid, gid := owned.Owner()
			t.Errorf("a file of 1000's is said to be %d:%d's", uid, gid)
		}
	})
	for name, refuse := range map[string][]func(request) bool{"alone": {noNetwork}, "sidecar": {noEntrypoint}, "logs": {noEntrypoint, noJoining}} {
		t.Run("by way of "+name, func(t *testing.T) {
			e := connect(t, func(o *Options) { o.Host = refusing(t, refuse...) })
			im := open(t, e, ref)
			seen, err := im.Observe(t.Context(), waySpec([]string{"/app", "serve", ":8000"}), nil)
			if err != nil || string(seen.Way) != name {
				t.Errorf("watched %q, %v", seen.Way, err)
			}
		})
	}
	t.Run("sweep", func(t *testing.T) {
		victim := startVictim(t, ref)
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed
		if err := e.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	})
	e.pool.drain(t.Context())
	e.discards.Wait()
	nothing(t)
}

// sees runs what programs do.
func (p *podman) sees(t *testing.T, e *Engine, ref string) {
	loopback := func(s *run.Spec) {
		s.Expect = facts.Prediction{Complete: true, Listens: []facts.Listen{{Network: "tcp", Port: 8000, Scope: facts.ScopeLoopback}}}
	}
	seen := observe(t, e, ref, nil, "/app", "serve", ":8000")
	if seen.Stopped != facts.StopAnswered || seen.Healthcheck == nil || seen.Healthcheck.Code != 0 {
		t.Errorf("a good image: stopped %q, health check %+v", seen.Stopped, seen.Healthcheck)
	}
	seen = observe(t, e, ref, func(s *run.Spec) { s.User, s.Target.BootWindow = "web", 2*time.Second }, "/app", "serve", ":80")
	if open := seen.Open(); len(open) == 0 || open[0].Port != 80 {
		t.Errorf("a low port, not as root: %+v, exit %+v", open, seen.Exit)
	}
	if o := outcomeOf(observe(t, e, ref, loopback, "/app", "serve", "127.0.0.1:8000")); o.Scope != facts.ScopeLoopback || o.Outside != facts.ClassRefused {
		t.Errorf("on loopback: %+v", o)
	}
	if seen := observe(t, e, ref, nil, "/app", "exit", "3", "no"); seen.Exit == nil || seen.Exit.Code != 3 {
		t.Errorf("one that ends: exit %+v", seen.Exit)
	}
	if seen := observe(t, e, ref, nil, "/not-there"); seen.Exit == nil || seen.Exit.Code != 127 {
		t.Errorf("no such program: exit %+v", seen.Exit)
	}
	if seen := observe(t, e, ref, func(s *run.Spec) { s.Wrapped = true }, "/app", "daemonize", ":8000"); len(seen.Survivors) == 0 {
		t.Errorf("one that goes to the background: nothing survived, exit %+v", seen.Exit)
	}
	// Podman does not always tell; the probe does, or it is said to be unknown.
	if seen := observe(t, e, ref, func(s *run.Spec) { s.Limits.Memory = 32 << 20 }, "/app", "eat"); seen.Exit == nil || !seen.Exit.OOM && !seen.Exit.Unsaid {
		t.Errorf("out of memory: exit %+v", seen.Exit)
	}
}

// renewed gives an image a new cell while another image's files are read
// beside the old one, which Podman does not remove then.
func renewed(t *testing.T, _ *Engine, ref string) {
	e := connect(t, func(o *Options) { o.Cells = 1 })
	first, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	spec := waySpec([]string{"/app", "exit", "3", "no"})
	first.reader = nil // so that its cell is nobody's files
	first.Renew(t.Context())
	if _, err := first.Observe(t.Context(), spec, nil); err != nil {
		t.Error(err)
	}
	if err := second.reader.wait(t.Context()); err != nil {
		t.Error(err)
	}
	for _, im := range []*Image{first, second} {
		if err := im.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}
