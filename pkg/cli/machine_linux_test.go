package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// machine is what imglint can leave on this machine when it runs images without
// an engine: processes and their namespaces, mounts, control groups, files.
type machine struct {
	temp, cache string // directories of the test's own
	mu          sync.Mutex
	cmds        []*exec.Cmd
	before      census
}

// What stays in the cache, and where: whole layers and the probe.
var (
	stays   = regexp.MustCompile(`^(sha256-[0-9a-f]{64}(\.lock)?|probes)$`)
	folders = regexp.MustCompile(`^(imglint|layers|owned|plain|index|as-[0-9]+-[0-9]+)$`)
)

// machineOf takes the census. Processes that lose their parent become this
// one's children, so that none escapes.
func machineOf(t *testing.T) *machine {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skipf("needs to be told of orphans: %v", err)
	}
	m := &machine{temp: t.TempDir(), cache: t.TempDir()}
	m.before = m.census(t)
	return m
}

// imglint is a process that leaves its files in the directories, not yet started.
func (m *machine) imglint(t *testing.T, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	cmd := imglint(t, m.temp, args...)
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+m.cache)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cmds = append(m.cmds, cmd)
	return cmd, &out
}

// warm makes what stays, the unpacked layers, be there, and takes the census again.
func (m *machine) warm(t *testing.T, args ...string) {
	t.Helper()
	cmd, out := m.imglint(t, args...)
	if err := cmd.Run(); err != nil {
		skipUnsupported(t, out.String())
		t.Fatalf("%v\n%s", err, out)
	}
	m.before = m.census(t)
}

func (m *machine) census(t *testing.T) census {
	t.Helper()
	c := census{}
	namespaces := map[string]bool{}
	for _, pid := range descendants(os.Getpid()) {
		links, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/ns/*")
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil {
				namespaces[to] = true
			}
		}
		c["processes"]++
	}
	c["namespaces"] = len(namespaces)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(mounts) {
		if bytes.Contains(line, []byte(m.temp)) || bytes.Contains(line, []byte(m.cache)) {
			c["mounts"]++
		}
	}
	c["control groups"] = len(m.groups())
	c["files"] = filesIn(t, m.temp, m.cache)
	return c
}

// filesIn counts what is in directories for temporary files and for the cache,
// but for what stays there.
func filesIn(t *testing.T, dirs ...string) (n int) {
	t.Helper()
	for _, dir := range dirs {
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil: // it is being removed, or was not made
			case stays.MatchString(d.Name()) && d.IsDir():
				return filepath.SkipDir
			case path != dir && !stays.MatchString(d.Name()) && !folders.MatchString(d.Name()):
				n++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// groups are the control groups of the calls that were made; others make some too.
func (m *machine) groups() (own []string) {
	for _, cmd := range m.cmds {
		if cmd.Process == nil {
			continue
		}
		name := fmt.Sprintf("imglint-%d-*", cmd.Process.Pid)
		one, _ := filepath.Glob("/sys/fs/cgroup/*/" + name)
		two, _ := filepath.Glob("/sys/fs/cgroup/" + name)
		own = append(append(own, one...), two...)
	}
	return own
}

// descendants are the living processes below one.
func descendants(pid int) (all []int) {
	children, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, file := range children {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(word)
			if _, err := os.Readlink("/proc/" + word + "/ns/mnt"); err == nil { // a zombie has none
				all = append(all, child)
			}
			all = append(all, descendants(child)...)
		}
	}
	return all
}

// unchanged wants nothing to be left, after what is still being removed.
func (m *machine) unchanged(t *testing.T, when string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		diff := cmp.Diff(m.before, m.census(t))
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: left on this machine (-before +now):\n%s\n%v", when, diff, m.groups())
		}
	}
}
