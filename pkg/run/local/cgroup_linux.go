package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/run"
)

// cgroupRoot is where every distribution mounts cgroups.
const cgroupRoot = "/sys/fs/cgroup"

// cgroup limits one run: one directory of version 2, or one of each controller
// of version 1. It has none where none can be made.
type cgroup struct {
	unified bool
	dirs    map[string]string // by controller; "" of version 2
	kills   int               // of which was told already
}

// controllers of version 1, with what limits a run.
var controllers = []string{"memory", "pids", "cpu"}

const cgroupPrefix = "imglint-"

// newCgroup makes what can be made. Limits that cannot be set are missing from
// what limited returns.
func newCgroup(l run.Limits) *cgroup {
	g := &cgroup{dirs: map[string]string{}}
	name := cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + startTime(os.Getpid()) + "-" + rand.Text()
	var info unix.Statfs_t
	if unix.Statfs(cgroupRoot, &info) == nil && info.Type == unix.CGROUP2_SUPER_MAGIC {
		g.unified = true
		for _, parent := range delegated() {
			dir := filepath.Join(parent, name)
			if os.Mkdir(dir, 0o755) == nil {
				g.dirs[""] = dir
				break
			}
		}
	} else {
		for _, c := range controllers {
			dir := filepath.Join(cgroupRoot, c, name)
			if os.Mkdir(dir, 0o755) == nil {
				g.dirs[c] = dir
			}
		}
	}
	g.limit(l)
	return g
}

// delegated are the cgroups that may have children with limits: this
// process's own and those above it that hand the memory controller down.
func delegated() (dirs []string) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	_, own, _ := strings.Cut(strings.TrimSpace(string(text)), "0::")
	for dir := filepath.Join(cgroupRoot, own); ; dir = filepath.Dir(dir) {
		handed, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if err == nil && strings.Contains(" "+string(handed), " memory") {
			dirs = append(dirs, dir)
		}
		if len(dir) <= len(cgroupRoot) {
			return dirs
		}
	}
}

const cpuPeriod = 100_000 // microseconds, the kernel's default

// limit sets the limits; a controller that does not take its own is dropped,
// as one that limits nothing.
func (g *cgroup) limit(l run.Limits) {
	memory, pids := strconv.FormatInt(l.Memory, 10), strconv.FormatInt(l.Pids, 10)
	quota := strconv.Itoa(int(l.CPUs * cpuPeriod))
	if g.unified {
		if dir, ok := g.dirs[""]; ok {
			g.set(dir, "", l.Memory > 0, "memory.max", memory)
			_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0)
			_ = os.WriteFile(filepath.Join(dir, "pids.max"), []byte(pids), 0)
			if l.CPUs > 0 {
				_ = os.WriteFile(filepath.Join(dir, "cpu.max"), []byte(quota+" "+strconv.Itoa(cpuPeriod)), 0)
			}
		}
		return
	}
	for c, dir := range g.dirs {
		switch c {
		case "memory":
			g.set(dir, c, l.Memory > 0, "memory.limit_in_bytes", memory)
			_ = os.WriteFile(filepath.Join(dir, "memory.memsw.limit_in_bytes"), []byte(memory), 0)
		case "pids":
			g.set(dir, c, l.Pids > 0, "pids.max", pids)
		case "cpu":
			g.set(dir, c, l.CPUs > 0, "cpu.cfs_quota_us", quota)
		}
	}
}

func (g *cgroup) set(dir, controller string, wanted bool, file, value string) {
	if wanted && os.WriteFile(filepath.Join(dir, file), []byte(value), 0) == nil {
		return
	}
	if os.Remove(dir) == nil {
		delete(g.dirs, controller)
	}
}

// limitsMemory reports whether memory is limited.
func (g *cgroup) limitsMemory() bool {
	_, one := g.dirs["memory"]
	_, two := g.dirs[""]
	return one || two
}

// procs opens the files by which a process enters.
func (g *cgroup) procs() (files []*os.File, err error) {
	for _, dir := range g.dirs {
		f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			return nil, fmt.Errorf("open cgroup: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// killed reports whether the kernel killed something for memory since it was
// asked last.
func (g *cgroup) killed() bool {
	file := filepath.Join(g.dirs["memory"], "memory.oom_control")
	if g.unified {
		file = filepath.Join(g.dirs[""], "memory.events")
	}
	if !g.limitsMemory() {
		return false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		count, ok := strings.CutPrefix(line, "oom_kill ")
		if n, err := strconv.Atoi(strings.TrimSpace(count)); ok && err == nil && n > g.kills {
			g.kills = n
			return true
		}
	}
	return false
}

// files is the memory that files in file systems of memory take.
func (g *cgroup) files() int64 {
	dir := g.dirs["memory"]
	if g.unified {
		dir = g.dirs[""]
	}
	if !g.limitsMemory() {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if bytes, ok := strings.CutPrefix(line, "shmem "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(bytes), 10, 64) // of the kernel
			return n
		}
	}
	return 0
}

// remove removes it; nothing runs in it any more.
func (g *cgroup) remove() error {
	var errs []error
	for _, dir := range g.dirs {
		if err := os.Remove(dir); err != nil {
			errs = append(errs, fmt.Errorf("remove cgroup: %w", err))
		}
	}
	return errors.Join(errs...)
}

// sweepCgroups removes those whose makers are gone.
func sweepCgroups() {
	parents := delegated()
	for _, c := range controllers {
		parents = append(parents, filepath.Join(cgroupRoot, c))
	}
	for _, parent := range parents {
		left, _ := filepath.Glob(filepath.Join(parent, cgroupPrefix+"*"))
		for _, dir := range left {
			words := strings.Split(filepath.Base(dir), "-")
			if len(words) != 4 {
				continue
			}
			if pid, err := strconv.Atoi(words[1]); err == nil && startTime(pid) != words[2] {
				_ = os.Remove(dir) // another imglint may have done it
			}
		}
	}
}

// startTime tells processes apart that have the same PID one after the other;
// "" when there is none.
func startTime(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	if fields := strings.Fields(rest); len(fields) > 19 {
		return fields[19]
	}
	return ""
}
