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
	start   string // in clock ticks
	cpu     uint64 // its own and of the children that it waited for, in clock ticks
	changes int
	round   int
}

// identity tells a process from a later one with the same PID.
type identity struct {
	pid   int
	start string
}

func (p *process) identity() identity { return identity{p.PID, p.start} }

// processes follows the process table. PIDs in own are the probe's.
type processes struct {
	own    map[int]bool
	before map[identity]bool // was there before the program
	known  map[identity]*process
	cpu    uint64 // of all that were known at the last scan, in clock ticks
	round  int
	buf    []byte
}

// maxChanges is how many commands of one process are told: servers put their
// state into their title, and change it for ever.
const maxChanges = 5

// scan reads the table again and returns the processes that are new or
// changed their command, by PID, and those that ended.
func (p *processes) scan() (changed, ended []*process) {
	p.round++
	p.cpu = 0
	for _, pid := range pids() {
		if p.own[pid] {
			continue
		}
		now, ok := p.read(pid)
		if !ok || p.before[now.identity()] {
			continue
		}
		p.cpu += now.cpu
		if p.update(now) {
			changed = append(changed, now)
		}
	}
	for id, old := range p.known {
		if old.round != p.round {
			delete(p.known, id)
			ended = append(ended, old)
		}
	}
	slices.SortFunc(changed, func(a, b *process) int { return a.PID - b.PID })
	return changed, ended
}

// update takes what was read of a process, and reports whether it tells
// something new.
func (p *processes) update(now *process) bool {
	old := p.known[now.identity()]
	if old != nil {
		old.round, old.PPID, old.SID = p.round, now.PPID, now.SID
		if len(now.Argv) == 0 || slices.Equal(old.Argv, now.Argv) {
			return false
		}
		now.changes = old.changes + 1
	} else if len(now.Argv) == 0 {
		return false
	}
	describe(now)
	now.round = p.round
	p.known[now.identity()] = now
	return now.changes <= maxChanges
}

// baseline makes the processes that exist now not the program's, but for one.
func (p *processes) baseline(program int) {
	for _, pid := range pids() {
		if now, ok := p.stat(pid); ok && pid != program {
			p.before[now.identity()] = true
		}
	}
}

// read returns what changes often of a process. An empty command line is that
// of a process on its way out, or in the midst of execve.
func (p *processes) read(pid int) (*process, bool) {
	proc, ok := p.stat(pid)
	if ok {
		proc.Argv = p.argv(pid)
	}
	return proc, ok
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
	return &process{Process: facts.Process{PID: pid, PPID: ppid, SID: sid}, start: field[19], cpu: used(field[11:15])}, true
}

// used adds up utime, stime, cutime and cstime.
func used(fields []string) (ticks uint64) {
	for _, f := range fields {
		n, _ := strconv.ParseUint(f, 10, 64)
		ticks += n
	}
	return ticks
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
