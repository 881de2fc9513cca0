package probe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// process is one process of the container as it was last seen.
type process struct {
	facts.Process
	start   string // start time in clock ticks: tells a reused PID
	changes int
	round   int
}

// processes follows the process table. PIDs in own are the probe's.
type processes struct {
	own    map[int]bool
	before map[int]string // start times of the processes that were there before
	known  map[int]*process
	round  int
	buf    []byte
}

// maxChanges is how many commands of one process are told: servers put their
// state into their title, and change it for ever.
const maxChanges = 5

// scan reads the table again and returns the processes that are new or
// changed their command, and those that ended.
func (p *processes) scan() (changed, ended []*process) {
	p.round++
	for _, pid := range pids() {
		if p.own[pid] {
			continue
		}
		now, ok := p.read(pid)
		if !ok || p.before[pid] == now.start {
			continue
		}
		old := p.known[pid]
		if old != nil && old.start == now.start {
			old.round, old.PPID, old.SID = p.round, now.PPID, now.SID
			if slices.Equal(old.Argv, now.Argv) {
				continue
			}
			now.changes = old.changes + 1
		} else if old != nil {
			ended = append(ended, old)
		}
		describe(now)
		now.round = p.round
		p.known[pid] = now
		if now.changes <= maxChanges {
			changed = append(changed, now)
		}
	}
	for pid, old := range p.known {
		if old.round != p.round {
			delete(p.known, pid)
			ended = append(ended, old)
		}
	}
	byPID := func(a, b *process) int { return a.PID - b.PID }
	slices.SortFunc(changed, byPID)
	return changed, ended
}

// baseline makes the processes that exist now not the program's.
func (p *processes) baseline() {
	p.before = map[int]string{}
	for _, pid := range pids() {
		if now, ok := p.read(pid); ok {
			p.before[pid] = now.start
		}
	}
}

// read returns what changes often of a process. It is not ok for one that has
// ended: an empty command line is that of a process on its way out.
func (p *processes) read(pid int) (*process, bool) {
	proc, ok := p.stat(pid)
	if !ok {
		return nil, false
	}
	proc.Argv = p.argv(pid)
	return proc, len(proc.Argv) > 0
}

// stat reads /proc/PID/stat. It is not ok for a zombie.
func (p *processes) stat(pid int) (*process, bool) {
	data, err := readFile(procPath(pid, "stat"), p.buf[:0])
	p.buf = data
	if err != nil {
		return nil, false
	}
	// The command's name is in parentheses, and may hold any character.
	end := bytes.LastIndexByte(data, ')')
	field := strings.Fields(string(data[end+1:]))
	if end < 0 || len(field) < 20 || field[0] == "Z" || field[0] == "X" {
		return nil, false
	}
	ppid, _ := strconv.Atoi(field[1])
	sid, _ := strconv.Atoi(field[3])
	return &process{Process: facts.Process{PID: pid, PPID: ppid, SID: sid}, start: field[19]}, true
}

// argv reads at most 32 words of at most 256 bytes.
func (p *processes) argv(pid int) []string {
	data, err := readFile(procPath(pid, "cmdline"), p.buf[:0])
	p.buf = data
	data = bytes.TrimRight(data, "\x00")
	if err != nil || len(data) == 0 {
		return nil
	}
	most := shrinking[0]
	words := bytes.SplitN(data, []byte{0}, most.words+1)
	argv := make([]string, min(len(words), most.words))
	for i := range argv {
		argv[i] = most.text(string(words[i]))
	}
	return argv
}

// describe adds what is read once.
func describe(p *process) {
	p.UID = effectiveUID(p.PID)
	p.Exe = readLink(procPath(p.PID, "exe"))
	// "pipe:[123]": the number says nothing.
	p.FD0, _, _ = strings.Cut(readLink(procPath(p.PID, "fd/0")), ":[")
}

// effectiveUID returns -1 when it cannot be read.
func effectiveUID(pid int) int {
	data, err := readFile(procPath(pid, "status"), nil)
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte("Uid:")); ok {
			if field := bytes.Fields(rest); len(field) > 1 {
				if uid, err := strconv.Atoi(string(field[1])); err == nil {
					return uid
				}
			}
		}
	}
	return -1
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}
