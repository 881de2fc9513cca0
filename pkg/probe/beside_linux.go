package probe

import (
	"golang.org/x/sys/unix"
)

// beside watches a container from another one that has joined its network and,
// where that was allowed, its processes: what is there already is the
// program's. It goes on until it is killed.
func beside(cfg Config) (int, error) {
	seclude()
	program := 0 // not to be seen
	if unix.Getpid() != 1 {
		program = 1
	}
	o := newObserver(cfg, program)
	clear(o.processes.before)
	for _, t := range []*table{o.tcp, o.udp, o.unix} {
		t.known = map[uint32]*entry{} // no baseline
	}
	if program != 0 {
		o.tasks = append(o.tasks, &task{run: (&signals{observer: o, pid: program}).poll})
	}
	o.begin(clock())
	o.begun(clock())
	for {
		o.step()
	}
}
