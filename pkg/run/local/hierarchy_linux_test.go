package local

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/run"
)

// tree makes files below a temporary directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// The trees are those of systemd 252 on Debian 12.
func TestDelegated(t *testing.T) {
	t.Parallel()
	const scope = "user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope"
	session := map[string]string{
		"cgroup.subtree_control": "cpuset cpu io memory pids\n", "cgroup.procs": "",
		"user.slice/cgroup.subtree_control": "cpu memory pids\n", "user.slice/cgroup.procs": "",
		scope + "/cgroup.subtree_control": "\n", scope + "/cgroup.procs": "",
		filepath.Dir(scope) + "/cgroup.subtree_control": "memory pids\n", filepath.Dir(scope) + "/cgroup.procs": "",
	}
	tests := []struct {
		name, self string
		files      map[string]string
		want       []string
	}{
		{"a scope of a user's systemd", "0::/" + scope + "\n", session, []string{filepath.Dir(scope), "user.slice", "."}},
		{"a container's own root", "0::/\n", map[string]string{"cgroup.subtree_control": "\n", "cgroup.procs": ""}, nil},
		{"outside of the cgroups that are seen", "0::/../../job\n", session, nil},
		{"memory is not handed down", "0::/a\n", map[string]string{
			"cgroup.subtree_control": "cpu pids\n", "cgroup.procs": "", "a/cgroup.subtree_control": "", "a/cgroup.procs": ""}, nil},
		{"processes cannot be moved", "0::/\n", map[string]string{"cgroup.subtree_control": "memory\n"}, nil},
		{"beside version 1", "1:memory:/a\n0::/\n", session, []string{"."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := hierarchy{root: tree(t, tt.files), unified: true, self: tt.self}
			var want []string
			for _, dir := range tt.want {
				want = append(want, filepath.Join(h.root, dir))
			}
			if got := h.delegated(); !slices.Equal(got, want) {
				t.Errorf("delegated %q, want %q", got, want)
			}
			if h.unified = false; h.delegated() != nil {
				t.Error("delegated in version 1")
			}
		})
	}
}

// A cgroup whose memory cannot be limited is none, and is not left behind.
func TestCgroupWithoutMemory(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"cgroup.subtree_control": "memory\n", "cgroup.procs": ""})
	g := hierarchy{root: root, unified: true, self: "0::/\n"}.make(run.DefaultLimits)
	if g.limitsMemory() || len(g.dirs) > 0 {
		t.Errorf("limited %v in %v, and the directory has no memory.max", g.limited, g.dirs)
	}
	if left, _ := filepath.Glob(filepath.Join(root, cgroupPrefix+"*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	limits := run.Limits{Memory: 64 << 20, Pids: 100, CPUs: 0.5}
	tests := []struct {
		name        string
		controllers []string
		want        map[string]string
		limited     []string
	}{
		{"all controllers", []string{"memory.max", "memory.swap.max", "pids.max", "cpu.max"},
			map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "100", "cpu.max": "50000 100000"},
			[]string{"cpu", "memory", "pids"}},
		{"without swap and cpu", []string{"memory.max", "pids.max"},
			map[string]string{"memory.max": "67108864", "pids.max": "100"}, []string{"memory", "pids"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for _, name := range tt.controllers {
				files[name] = ""
			}
			dir := tree(t, files)
			g := &cgroup{unified: true, dirs: map[string]string{"": dir}, limited: map[string]bool{}}
			g.limitAll(limits)
			for name, want := range tt.want {
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
					t.Errorf("%s is %q, %v; want %q", name, got, err, want)
				}
			}
			for _, c := range controllers {
				if g.limited[c] != slices.Contains(tt.limited, c) {
					t.Errorf("%s limited: %v", c, g.limited[c])
				}
			}
		})
	}
}

func TestKills(t *testing.T) {
	t.Parallel()
	own, around := "memory.events", "outer/memory.events"
	tests := []struct {
		name    string
		unified bool
		limited bool
		files   map[string]string
		want    death
	}{
		{"at its own limit", true, true, map[string]string{own: "max 9\noom 1\noom_kill 1\noom_group_kill 0\n"}, atLimit},
		{"at a limit around it", true, true, map[string]string{own: "max 0\noom 0\noom_kill 1\n"}, outside},
		{"nothing", true, true, map[string]string{own: "max 5\noom 0\noom_kill 0\n"}, nobodyDied},
		{"without a limit of its own", true, false, map[string]string{around: "oom 1\noom_kill 1\n"}, outside},
		{"without a limit, nothing", true, false, map[string]string{around: "oom 0\noom_kill 0\n"}, nobodyDied},
		{"nothing can be read", true, true, nil, nobodyDied},
		{"version 1, at its own limit", false, true,
			map[string]string{"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "memory.failcnt": "7\n"}, atLimit},
		{"version 1 with swap", false, true,
			map[string]string{"memory.oom_control": "oom_kill 1\n", "memory.failcnt": "0\n", "memory.memsw.failcnt": "3\n"}, atLimit},
		{"version 1, at a limit around it", false, true,
			map[string]string{"memory.oom_control": "oom_kill 2\n", "memory.failcnt": "0\n",
				"memory.max_usage_in_bytes": "4096\n", "memory.limit_in_bytes": "8192\n"}, outside},
		{"version 1, and the kernel counts bytes only", false, true,
			map[string]string{"memory.oom_control": "oom_kill 1\n", "memory.failcnt": "0\n",
				"memory.max_usage_in_bytes": "9000\n", "memory.limit_in_bytes": "8192\n"}, atLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, tt.files)
			g := &cgroup{unified: tt.unified, limited: map[string]bool{"memory": tt.limited}, outer: filepath.Join(dir, around),
				dirs: map[string]string{"": dir, "memory": dir}}
			if got := g.killed(); got != tt.want {
				t.Errorf("killed %v, want %v", got, tt.want)
			}
			if got := g.killed(); got != nobodyDied {
				t.Errorf("told again: %v", got)
			}
		})
	}
}

// A kill at a limit around imglint, as that of a CI job's container, is not the
// image's: this machine's kernel has to tell them apart.
func TestCgroupInACgroup(t *testing.T) {
	t.Parallel()
	app := filepath.Join(t.TempDir(), "app")
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(app, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name          string
		around, limit int64
		want          death
	}{
		{"at its own limit", 256 << 20, 32 << 20, atLimit},
		{"at the limit around it", 32 << 20, 256 << 20, outside},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := limitedHierarchy(t, tt.around)
			g := h.make(run.Limits{Memory: tt.limit})
			defer func() { removed(t, g) }()
			if !g.limitsMemory() {
				t.Fatal("memory is not limited")
			}
			procs, err := g.procs()
			if err != nil {
				t.Fatal(err)
			}
			defer closeAll(procs)
			cmd := exec.CommandContext(t.Context(), "sh", "-c", "echo 0 >&3 && exec "+app+" eat")
			cmd.ExtraFiles = procs
			err = cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != -1 {
				t.Fatalf("%v, want that it is killed", err)
			}
			if got := g.killed(); got != tt.want {
				t.Errorf("killed %v, want %v", got, tt.want)
			}
		})
	}
}

// limitedHierarchy is a cgroup of this machine with a limit of its own as root.
func limitedHierarchy(t *testing.T, limit int64) hierarchy {
	t.Helper()
	h := findHierarchy()
	outer := h.make(run.Limits{Memory: limit})
	t.Cleanup(func() { removed(t, outer) })
	if !outer.limitsMemory() {
		t.Skip("this user may not limit memory")
	}
	if !h.unified {
		// Where controllers are looked for, as links to the one there is.
		h.root = t.TempDir()
		if err := os.Symlink(outer.dirs["memory"], filepath.Join(h.root, "memory")); err != nil {
			t.Fatal(err)
		}
		return h
	}
	h.root, h.self = outer.dirs[""], "0::/\n"
	if err := writeSetting(filepath.Join(h.root, "cgroup.subtree_control"), "+memory"); err != nil {
		t.Skip(err)
	}
	return h
}

// removed removes a cgroup, which is in use until its processes are gone.
func removed(t *testing.T, g *cgroup) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for err := g.remove(); err != nil; err = g.remove() {
		if time.Now().After(deadline) || !strings.Contains(err.Error(), "busy") {
			t.Error(err)
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestInContainer(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	signs := []string{filepath.Join(t.TempDir(), ".dockerenv")}
	if inContainer(signs) {
		t.Error("nothing is there, and it is a container")
	}
	if err := os.WriteFile(signs[0], nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !inContainer(signs) {
		t.Error("Docker's file is not seen")
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	if !inContainer(nil) {
		t.Error("a pod is not seen")
	}
}
