package probe

import (
	"bytes"
	"strconv"

	"github.com/imglint/imglint/pkg/facts"
)

// memoryPause is short: when process 1 is killed, the observer has only the
// time until its memory is given back.
const memoryPause = 5 * millisecond

// oomCounters count what the kernel killed for memory in this container: of
// cgroup v2 (kernel 4.19) and v1 (4.13).
var oomCounters = []string{"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}

// memory tells of processes that were killed for memory, for engines that do
// not.
type memory struct {
	*observer
	path   string
	killed int
	text   []byte
}

// newMemory is nil where nobody counts.
func newMemory(o *observer, counters []string) *memory {
	for _, path := range counters {
		m := &memory{observer: o, path: path}
		if n, ok := m.count(); ok {
			m.killed = n
			return m
		}
	}
	return nil
}

func (m *memory) poll(now instant) instant {
	n, ok := m.count()
	if !ok {
		return never
	}
	if n > m.killed {
		m.killed = n
		m.emit(now, facts.Event{Kind: facts.EventOOM})
	}
	return after(now, clock(), memoryPause)
}

// count reads how many were killed so far.
func (m *memory) count() (n int, ok bool) {
	text, err := readFile(m.path, m.text[:0])
	if m.text = text; err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if number, found := bytes.CutPrefix(bytes.TrimSpace(line), []byte("oom_kill ")); found {
			n, err := strconv.Atoi(string(number))
			return n, err == nil
		}
	}
	return 0, false
}
