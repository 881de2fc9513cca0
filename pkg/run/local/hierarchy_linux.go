package local

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where every distribution mounts cgroups.
const cgroupRoot = "/sys/fs/cgroup"

// hierarchy is where cgroups can be made.
type hierarchy struct {
	root    string
	unified bool   // of version 2 alone
	self    string // what /proc/self/cgroup says
}

func findHierarchy() hierarchy {
	h := hierarchy{root: cgroupRoot}
	var info unix.Statfs_t
	h.unified = unix.Statfs(cgroupRoot, &info) == nil && info.Type == unix.CGROUP2_SUPER_MAGIC
	if text, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		h.self = string(text)
	}
	return h
}

// own is this process's cgroup of version 2.
func (h hierarchy) own() string {
	_, own, _ := strings.Cut(h.self, "0::")
	own, _, _ = strings.Cut(own, "\n")
	return filepath.Join(h.root, filepath.Clean("/"+own))
}

// delegated are the cgroups of version 2 that may have children with limits
// which this process may enter: its own and those above it that hand the memory
// controller down and let it move processes.
func (h hierarchy) delegated() (dirs []string) {
	if !h.unified || strings.Contains(h.self, "0::/..") { // outside of the cgroups that are seen here
		return nil
	}
	for dir := h.own(); ; dir = filepath.Dir(dir) {
		handed, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if err == nil && strings.Contains(" "+string(handed), " memory") &&
			unix.Faccessat(unix.AT_FDCWD, filepath.Join(dir, "cgroup.procs"), unix.W_OK, unix.AT_EACCESS) == nil {
			dirs = append(dirs, dir)
		}
		if len(dir) <= len(h.root) {
			return dirs
		}
	}
}

// sweep removes those whose makers are gone.
func (h hierarchy) sweep() {
	parents := h.delegated()
	for _, c := range controllers {
		parents = append(parents, filepath.Join(h.root, c))
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
