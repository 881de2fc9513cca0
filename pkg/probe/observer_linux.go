package probe

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
)

// How often the observer looks. A look never takes more than a twentieth of
// the time: where looking is dear, it looks less often.
const (
	tcpFast, tcpSlow         = 5 * millisecond, 20 * millisecond
	tcpFastFor               = 10 * second
	procNetPause             = 200 * millisecond
	unixPause, udpPause      = 100 * millisecond, 250 * millisecond
	processFast, processSlow = 50 * millisecond, 500 * millisecond
	processFastFor           = 5 * second
	leisure                  = 20
)

// What one run may tell, so that a program that goes wild does not drown the log.
const (
	maxListening = 500
	maxProcesses = 200
)

// beatPause is the time between two signs of life.
const beatPause = second

// observer watches a program's sockets and processes and asks its ports.
type observer struct {
	emitter
	asker           asker
	tcp, udp, unix  *table
	tcpPause        instant // at least
	processes       *processes
	changed         instant // when a listener last opened or closed
	started         instant // when the processes were first looked at
	listening, seen int     // events emitted
	cpu             uint64  // the processes' at the last beat, in clock ticks
	tasks           []*task
	scanning        *task      // of the processes
	lately          []*process // what the last scan found ended
}

// task is something to do at a time; run returns when next.
type task struct {
	next instant
	run  func(now instant) instant
}

// newObserver makes the baseline: what exists now is not the program's, except
// for the process that is about to become it; 0: it will be a new one.
func newObserver(cfg Config, program int) *observer {
	o := &observer{
		emitter: emitter{fd: 1, nonce: cfg.Nonce},
		processes: &processes{
			own: map[int]bool{unix.Getpid(): true}, before: map[identity]bool{}, known: map[identity]*process{},
		},
	}
	o.processes.baseline(program)
	o.openTables()
	first := Request{Endpoint: cfg.Endpoint, Probe: cfg.Probe}
	o.asker = asker{emitter: &o.emitter, requests: append([]Request{first}, cfg.Further...)}
	if address, err := netip.ParseAddr(cfg.Address); err == nil {
		o.asker.address = address
	} else {
		o.asker.address = ownAddress()
	}
	if u := newUnanswered(o); u != nil {
		o.tasks = append(o.tasks, &task{run: u.poll})
	}
	o.scanning = &task{run: o.pollProcesses, next: never}
	o.tasks = append(o.tasks,
		&task{run: o.pollTCP}, &task{run: o.pollUnix}, &task{run: o.pollUDP}, &task{run: o.beat}, o.scanning)
	return o
}

// openTables takes the cheapest source that works for each kind of socket.
func (o *observer) openTables() {
	o.tcp = &table{network: "tcp", source: tcpSource()}
	if _, ok := o.tcp.source.(*procNet); ok {
		o.tcpPause = procNetPause
	}
	o.udp = &table{network: "udp", source: udpSource(), confirm: true}
	o.unix = &table{network: "unix", source: unixSource()}
	for _, t := range []*table{o.tcp, o.udp, o.unix} {
		t.poll()
	}
}

// begin starts the program's time.
func (o *observer) begin(base instant) {
	o.base, o.changed = base, base
}

// clockTick is the unit of /proc/PID/stat, USER_HZ on every architecture of Go's.
const clockTick facts.Millis = 10

// beat tells that the observer lives, and what the program has done since. It
// says nothing before the program has begun, whose first frame comes from
// somebody else.
func (o *observer) beat(now instant) instant {
	if o.started != 0 {
		e := facts.Event{Kind: facts.EventBeat}
		if total := o.processes.cpu; total > o.cpu { // less: some have ended
			e.CPU = facts.Millis(total-o.cpu) * clockTick
		}
		o.cpu = o.processes.cpu
		o.emit(now, e)
	}
	return now + beatPause
}

// begun tells that the program was executed: from now on the processes are
// its own.
func (o *observer) begun(now instant) { o.started, o.scanning.next = now, now }

// step does what is due and waits for the next thing to do, or for one of the
// descriptors, which it returns when it can be read.
func (o *observer) step(fds ...int) (readable int) {
	now := clock()
	for _, t := range o.tasks {
		if t.next <= now {
			t.next = t.run(now)
		}
	}
	next := o.asker.run(now)
	for _, t := range o.tasks {
		next = min(next, t.next)
	}
	var space [maxAsks + 4]unix.PollFd
	list := space[:0]
	for _, fd := range fds {
		list = append(list, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	list = o.asker.watch(list)
	if !poll(list, max(next-clock(), 0)) {
		return -1
	}
	readable, now = -1, clock()
	for i, p := range list {
		switch {
		case p.Revents == 0:
		case i < len(fds):
			readable = int(p.Fd)
		default:
			o.asker.ready(p.Fd, now)
		}
	}
	return readable
}
