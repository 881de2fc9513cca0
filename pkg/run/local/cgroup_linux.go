package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/run"
)

// cgroup limits one run: one directory of version 2, or one of each controller
// of version 1. It has none where none can be made.
type cgroup struct {
	unified bool
	dirs    map[string]string // by controller; "" of version 2
	limited map[string]bool   // controllers whose limit is set
	// outer is the memory.events of the cgroup that this process is in, in
	// which a run without one of its own is too; "" when it cannot be read.
	outer      string
	kills      int // of which was told already
	outerKills int
}

// controllers of version 1, with what limits a run.
var controllers = []string{"memory", "pids", "cpu"}

const cgroupPrefix = "imglint-"

// newCgroup makes what can be made on this machine.
func newCgroup(l run.Limits) *cgroup { return findHierarchy().make(l) }

// make makes what can be made. Limits that cannot be set are missing from what
// limits reports.
func (h hierarchy) make(l run.Limits) *cgroup {
	g := &cgroup{unified: h.unified, dirs: map[string]string{}, limited: map[string]bool{}}
	name := cgroupPrefix + strconv.Itoa(os.Getpid()) + "-" + startTime(os.Getpid()) + "-" + rand.Text()
	if !h.unified {
		for _, c := range controllers {
			dir := filepath.Join(h.root, c, name)
			if os.Mkdir(dir, 0o755) == nil {
				g.dirs[c] = dir
				g.limit(c, l)
			}
		}
		return g
	}
	for _, parent := range h.delegated() {
		dir := filepath.Join(parent, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		g.dirs[""] = dir
		if g.limitAll(l); g.limited["memory"] || l.Memory == 0 {
			return g
		}
		g.drop("")
	}
	g.outer = filepath.Join(h.own(), "memory.events")
	g.outerKills, _ = eventCount(g.outer, "oom_kill")
	return g
}

const cpuPeriod = 100_000 // microseconds, the kernel's default

func quota(l run.Limits) string { return strconv.Itoa(int(l.CPUs * cpuPeriod)) }

// limit sets the limit of a controller of version 1, which is dropped when it
// does not take it, as one that limits nothing.
func (g *cgroup) limit(controller string, l run.Limits) {
	memory := strconv.FormatInt(l.Memory, 10)
	switch controller {
	case "memory":
		g.set(controller, controller, l.Memory > 0, "memory.limit_in_bytes", memory)
		_ = writeSetting(filepath.Join(g.dirs[controller], "memory.memsw.limit_in_bytes"), memory) // needs swap accounting
	case "pids":
		g.set(controller, controller, l.Pids > 0, "pids.max", strconv.FormatInt(l.Pids, 10))
	case "cpu":
		g.set(controller, controller, l.CPUs > 0, "cpu.cfs_quota_us", quota(l))
	}
	if !g.limited[controller] {
		g.drop(controller)
	}
}

// limitAll sets the limits of version 2.
func (g *cgroup) limitAll(l run.Limits) {
	g.set("", "memory", l.Memory > 0, "memory.max", strconv.FormatInt(l.Memory, 10))
	_ = writeSetting(filepath.Join(g.dirs[""], "memory.swap.max"), "0") // is not there without swap accounting
	g.set("", "pids", l.Pids > 0, "pids.max", strconv.FormatInt(l.Pids, 10))
	g.set("", "cpu", l.CPUs > 0, "cpu.max", quota(l)+" "+strconv.Itoa(cpuPeriod))
}

func (g *cgroup) set(key, controller string, wanted bool, file, value string) {
	if wanted && writeSetting(filepath.Join(g.dirs[key], file), value) == nil {
		g.limited[controller] = true
	}
}

// drop removes a directory in which nothing was yet.
func (g *cgroup) drop(key string) {
	if os.Remove(g.dirs[key]) == nil {
		delete(g.dirs, key)
	}
}

// writeSetting writes a file that the kernel made: a controller that was not
// handed down has none.
func writeSetting(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// limitsMemory reports whether memory is limited.
func (g *cgroup) limitsMemory() bool { return g.limited["memory"] }

// unlimited says why a limit that was asked for is not set.
func (g *cgroup) unlimited() string {
	switch {
	case os.Geteuid() != 0 && g.unified:
		return "this user may not make cgroups here (a command that is started with " +
			"systemd-run --user --scope -p Delegate=yes may, where systemd runs)"
	case os.Geteuid() != 0:
		return "this user may not make cgroups"
	}
	return "no cgroup that limits it can be made here"
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

// death is what the kernel killed for memory.
type death int

const (
	nobodyDied death = iota
	atLimit          // a process of the run, at its own limit
	outside          // for want of memory outside of the run: a limit around imglint itself, or the machine's end
)

// killed tells of what the kernel killed for memory since it was asked last.
func (g *cgroup) killed() death {
	kills, hits, err := g.counts()
	switch {
	case err != nil:
		return nobodyDied
	case kills > g.kills && hits > 0:
		g.kills = kills
		return atLimit
	case kills > g.kills:
		g.kills = kills
		return outside
	}
	if n, err := eventCount(g.outer, "oom_kill"); g.outer != "" && err == nil && n > g.outerKills {
		g.outerKills = n
		return outside
	}
	return nobodyDied
}

// counts reads how many processes of the run were killed, and how often it was
// at its own limit. The first number counts kills for a limit further up, too.
func (g *cgroup) counts() (kills, hits int, err error) {
	if !g.limitsMemory() {
		return 0, 0, nil
	}
	if g.unified {
		events := filepath.Join(g.dirs[""], "memory.events")
		kills, err1 := eventCount(events, "oom_kill")
		hits, err2 := eventCount(events, "oom")
		return kills, hits, errors.Join(err1, err2)
	}
	if kills, err = eventCount(filepath.Join(g.dirs["memory"], "memory.oom_control"), "oom_kill"); err != nil {
		return 0, 0, err
	}
	// With swap accounting that limit is met first; some kernels count neither,
	// but the bytes.
	if number(filepath.Join(g.dirs["memory"], "memory.max_usage_in_bytes")) >= number(filepath.Join(g.dirs["memory"], "memory.limit_in_bytes")) {
		hits++
	}
	for _, name := range []string{"memory.failcnt", "memory.memsw.failcnt"} {
		hits += number(filepath.Join(g.dirs["memory"], name))
	}
	return kills, hits, nil
}

// number reads a file of one number, 0 if there is none.
func number(file string) int {
	text, _ := os.ReadFile(file)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// eventCount reads a number of a file of names and numbers.
func eventCount(file, name string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if count, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.Atoi(strings.TrimSpace(count))
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
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
	n, _ := eventCount(filepath.Join(dir, "memory.stat"), "shmem") // of the kernel
	return int64(n)
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
