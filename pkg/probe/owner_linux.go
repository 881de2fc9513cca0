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
		links, ok := descriptors(pid)
		if !ok {
			hidden = append(hidden, pid)
		}
		for _, link := range links {
			e := wanted[socketInode(link)]
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

// descriptors returns where the open descriptors of a process lead. It is not
// ok when some may not be read: root may list those of a process that became
// another user, but not look at them.
func descriptors(pid int) (links []string, ok bool) {
	list, err := names(procPath(pid, "fd"))
	ok = err == nil
	for _, fd := range list {
		link := readLink(procPath(pid, "fd/"+fd))
		ok = ok && link != ""
		links = append(links, link)
	}
	return links, ok
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

// guess names the process of a socket that no readable process holds: one of
// those that cannot be looked into, and of these rather one of the socket's
// user. It is the only one, or the one that all others come from; 0 when that
// is not clear.
func (p *processes) guess(uid uint32, hidden []int) int {
	parents, same := map[int]int{}, map[int]int{}
	for _, pid := range hidden {
		proc, ok := p.stat(pid)
		if !ok {
			continue
		}
		parents[pid] = proc.PPID
		if effectiveUID(pid) == int(uid) {
			same[pid] = proc.PPID
		}
	}
	if len(same) > 0 {
		return root(same)
	}
	return root(parents)
}

// root returns the process that all others descend from, 0 when there is none.
func root(parents map[int]int) int {
	found := 0
	for pid, parent := range parents {
		if _, inside := parents[parent]; inside {
			continue
		}
		if found != 0 {
			return 0
		}
		found = pid
	}
	return found
}
