package probe

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	signalsPause = 50 * millisecond
	// maxSignals bounds how often a change is told.
	maxSignals = 10
	// maxThreads bounds how many threads are looked at for one that waits.
	maxThreads = 64
)

// sigwaits are the numbers of the call in which a thread waits for signals: of
// this machine, and of 32-bit programs on it, where 64-bit ones have calls
// that never wait.
var sigwaits = []int{unix.SYS_RT_SIGTIMEDWAIT, 177, 421}

// signals tells what the program does with signals, once it serves: before,
// it may not have come to that yet.
type signals struct {
	*observer
	pid  int
	last facts.Signals
	told int
}

func (s *signals) poll(now instant) instant {
	if !s.asker.answered() {
		return now + signalsPause
	}
	seen, ok := readSignals(s.pid)
	if !ok || s.told > 0 && seen == s.last {
		return after(now, clock(), signalsPause)
	}
	s.last = seen
	if s.told++; s.told > maxSignals {
		return never
	}
	s.emit(now, facts.Event{Kind: facts.EventSignals, PID: s.pid, Argv: s.processes.argv(s.pid),
		Path: readLink(procPath(s.pid, "exe")), Signals: &seen})
	return after(now, clock(), signalsPause)
}

// readSignals reads the sets of a process's first thread; handlers belong to
// the whole process. A thread that waits for signals is looked for before and
// after, because while it handles one it does not wait.
func readSignals(pid int) (seen facts.Signals, ok bool) {
	before := sigwait(pid)
	text, err := readFile(procPath(pid, "status"), nil)
	if err != nil {
		return seen, false
	}
	sets := map[string]*facts.SignalSet{"SigBlk": &seen.Blocked, "SigIgn": &seen.Ignored, "SigCgt": &seen.Caught}
	found := 0
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if set := sets[string(key)]; set != nil && set.UnmarshalText(bytes.TrimSpace(value)) == nil {
			found++
		}
	}
	seen.Waits = either(before, sigwait(pid))
	return seen, found == len(sets)
}

func either(a, b facts.Tri) facts.Tri {
	switch {
	case a == facts.Yes || b == facts.Yes:
		return facts.Yes
	case a == facts.No && b == facts.No:
		return facts.No
	}
	return facts.Unknown
}

// sigwait tells whether a thread waits for signals. It is unknown where the
// kernel does not show the calls of others.
func sigwait(pid int) facts.Tri {
	threads, err := os.ReadDir(procPath(pid, "task"))
	if err != nil || len(threads) > maxThreads {
		return facts.Unknown
	}
	for _, t := range threads {
		text, err := readFile(procPath(pid, "task/"+t.Name()+"/syscall"), nil)
		if err == unix.ENOENT || err == unix.ESRCH {
			continue // the thread has ended
		}
		if err != nil {
			return facts.Unknown
		}
		word, _, _ := bytes.Cut(text, []byte(" "))
		if number, err := strconv.Atoi(string(word)); err == nil && slices.Contains(sigwaits, number) {
			return facts.Yes
		}
	}
	return facts.No
}
