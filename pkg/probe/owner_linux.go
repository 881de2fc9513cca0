package probe

import (
	"strconv"
	"strings"
)

// owners finds the processes that hold the sockets, by inode: the lowest PID
// of each, which of a server and its forked workers is the server.
func (p *processes) owners(entries []*entry) {
	wanted := map[uint32]*entry{}
	for _, e := range entries {
		wanted[e.inode] = e
	}
	var hidden []int // processes whose descriptors may not be read
	for _, pid := range pids() {
		if p.own[pid] {
			continue
		}
		list, err := names(procPath(pid, "fd"))
		if err != nil {
			hidden = append(hidden, pid)
			continue
		}
		for _, fd := range list {
			e := wanted[socketInode(readLink(procPath(pid, "fd/"+fd)))]
			if e != nil && (e.pid == 0 || pid < e.pid) {
				e.pid = pid
			}
		}
	}
	for _, e := range entries {
		if e.pid == 0 {
			e.pid = p.guess(e.uid, hidden)
		}
		if e.pid != 0 {
			e.argv = p.argv(e.pid)
		}
	}
}

// socketInode reads "socket:[123]"; 0 is no socket's number.
func socketInode(link string) uint32 {
	number, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(inode)
}

// guess names the process of a socket by its user, among the processes that
// cannot be looked into: the only one, or the one that all others come from.
// It returns 0 when that is not clear.
func (p *processes) guess(uid uint32, hidden []int) int {
	parents := map[int]int{}
	first := 0
	for _, pid := range hidden {
		proc, ok := p.stat(pid)
		if !ok || effectiveUID(pid) != int(uid) {
			continue
		}
		parents[pid] = proc.PPID
		if first == 0 || pid < first {
			first = pid
		}
	}
	for pid := range parents {
		for at := pid; at != first; at = parents[at] {
			if _, ok := parents[at]; !ok {
				return 0
			}
		}
	}
	return first
}
