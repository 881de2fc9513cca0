package run

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// How long to wait before a run is ended although its boot window is not
// over. Each is a trade between a developer's time and a late surprise.
const (
	// MinSettle: a daemonizing nginx was seen to answer 200 before its first
	// process had ended; 300 ms later it was always gone.
	MinSettle = 300 * time.Millisecond
	// sessionSettle: a process in a session of its own is what a daemon looks like.
	sessionSettle = time.Second
	// closedStable: a server that closes every connection may still be booting behind.
	closedStable = 5 * time.Second
	// quietStable: a debug port may open first and the real one seconds later.
	quietStable = 15 * time.Second
	// busyCPU is a twentieth of a core in the second between two beats. Idle
	// servers were seen to use 2 ms at the most (RabbitMQ, MariaDB, node,
	// gunicorn), and one that boots gets more also where 20 others want the CPU.
	busyCPU = facts.Millis(50)
	// chattyStable: the same for a program that writes to its log all the time.
	chattyStable = time.Minute
	// beatPatience: the observer reports every second; a program that killed
	// every process it could (kill -9 -1) leaves nobody who sees anything.
	beatPatience = 15 * time.Second
	// beatLate: of one that was not heard for so long nobody knows whether it
	// has seen what came last. A busy machine takes seconds for a report.
	beatLate = 5 * time.Second
	// leastOvertime: after the window a run is watched for half as long again,
	// at least this, to tell a slow boot from one that never ends.
	leastOvertime = 10 * time.Second
	// SurvivorsFor bounds how long survivors of a wrapped run are watched.
	SurvivorsFor = 10 * time.Second
	// survivorsGrace is for their report to arrive.
	survivorsGrace = 5 * time.Second
)

const never = facts.Millis(math.MaxInt64)

// Decider says when a run can be ended. It is told what happens, in order,
// and has no clock of its own: times are those of facts.Run.
type Decider struct {
	spec     Spec
	settle   facts.Millis
	open     []facts.Socket
	outcomes map[netip.AddrPort]outcome
	session  int // of the first process

	good      facts.Millis // first good answer; never: none yet
	sockets   facts.Millis // last change of the listeners
	processes facts.Millis // last change of the processes
	logged    facts.Millis
	worked    facts.Millis // last time that it used much of a CPU
	stuck     stuck
	mainExit  facts.Millis
	lost      facts.Millis
	heard     facts.Millis // the observer's last report; never: it makes none
	exited    bool
	unseen    bool // only the log and the end can be seen
}

// outcome is the last answer on an address and when its class first came.
type outcome struct {
	answer facts.Answer
	since  facts.Millis
}

// NewDecider returns a decider for one run.
func NewDecider(spec Spec) *Decider {
	return &Decider{
		spec:     spec,
		settle:   facts.ToMillis(max(spec.Settle, MinSettle)),
		outcomes: map[netip.AddrPort]outcome{},
		good:     never,
		mainExit: never,
		lost:     never,
		stuck:    newStuck(spec.Signs),
		heard:    never,
	}
}

// Event tells the decider what the observer saw.
func (d *Decider) Event(e facts.Event) {
	switch e.Kind {
	case facts.EventListening:
		d.open = append(d.open, *e.Socket)
		d.sockets = e.T
		d.stuck.moved(e.T, true)
	case facts.EventClosed:
		d.open = slices.DeleteFunc(d.open, func(s facts.Socket) bool {
			return s.Inode == e.Socket.Inode && s.Address() == e.Socket.Address()
		})
		d.sockets = e.T
		d.stuck.moved(e.T, true)
	case facts.EventProcess:
		d.process(*e.Process)
		d.processes = e.T
		d.stuck.command(e.T, e.Process.Argv)
	case facts.EventAnswer:
		d.answer(e)
	case facts.EventMainExit:
		d.mainExit = e.T
	case facts.EventLost:
		d.lost = e.T
	case facts.EventExec, facts.EventBeat:
		// Each puts off the time at which the observer counts as killed.
		d.heard = e.T
		if busy(e) {
			d.Work(e.T)
		}
	}
}

// busy reports whether a beat tells of work. An idle server uses less; one that
// shares a CPU with many others still gets more.
func busy(e facts.Event) bool { return e.Kind == facts.EventBeat && e.CPU >= busyCPU }

// Work tells the decider that the program was busy.
func (d *Decider) Work(t facts.Millis) {
	d.worked = t
	d.stuck.moved(t, true)
}

// Log tells the decider that the program wrote a line.
func (d *Decider) Log(t facts.Millis, text string) {
	d.logged = t
	d.stuck.line(t, text)
}

// Exit tells the decider that the container ended by itself.
func (d *Decider) Exit() { d.exited = true }

// Unseen tells the decider that only the log and the end can be seen.
func (d *Decider) Unseen() { d.unseen = true }

func (d *Decider) process(p facts.Process) {
	if d.session == 0 || p.PID == 1 {
		d.session = p.SID
	}
	if p.SID != d.session {
		d.settle = max(d.settle, facts.ToMillis(sessionSettle))
	}
}

func (d *Decider) answer(e facts.Event) {
	a := *e.Answer
	key := netip.AddrPortFrom(a.To, uint16(a.Port))
	since := e.T
	if last, ok := d.outcomes[key]; ok && last.answer.Class == a.Class && last.answer.Status == a.Status {
		since = last.since
	}
	d.outcomes[key] = outcome{a, since}
	outside := !a.Loopback() || d.spec.Target.LoopbackReached
	if outside && d.asked(a.Port) && d.spec.Target.Probe.Passes(a) {
		d.good = min(d.good, e.T)
	}
}

// asked reports whether the platform asks the port. Where it cannot know one,
// an answer on any port is all there is to learn.
func (d *Decider) asked(port int) bool {
	endpoint := d.spec.Target.Endpoint.Port
	return endpoint == 0 || endpoint == port
}

// Decide returns why the run is to be ended now, or "" and the time to ask
// again if nothing happens until then.
func (d *Decider) Decide(now facts.Millis) (facts.Stop, facts.Millis) {
	if d.exited {
		if d.spec.Wrapped && d.mainExit != never {
			return facts.StopSurvivors, now
		}
		return facts.StopExited, now
	}
	due, stop := d.due()
	if now >= due {
		return stop, now
	}
	return "", due
}

// due returns when the run ends if nothing else happens, and why.
func (d *Decider) due() (facts.Millis, facts.Stop) {
	if d.mainExit != never {
		return d.mainExit + facts.ToMillis(SurvivorsFor+survivorsGrace), facts.StopSurvivors
	}
	if d.good != never && !d.spec.Wrapped {
		return d.good + d.settle, facts.StopAnswered
	}
	due, stop := facts.ToMillis(d.spec.Target.BootWindow+d.overtime()), facts.StopWindow
	if d.spec.Wrapped {
		// It is made to see the first process end, which some do long after
		// they serve: spamd was seen to listen for 4 s before it left.
		return due, stop
	}
	if d.unseen {
		return min(facts.ToMillis(d.spec.Target.BootWindow), d.calm(0)), facts.StopQuiet
	}
	for _, s := range d.sooner() {
		if s.at < due {
			due, stop = s.at, s.why
		}
	}
	if d.heard == never || stop == facts.StopLost {
		return due, stop
	}
	if gone := d.heard + facts.ToMillis(beatPatience); gone < due || d.heard < due-facts.ToMillis(beatLate) {
		return gone, facts.StopLost
	}
	return due, stop
}

// ending is when a run would end, and why.
type ending struct {
	at  facts.Millis
	why facts.Stop
}

// sooner are the reasons to end the run before its window does.
func (d *Decider) sooner() []ending {
	var all []ending
	if d.lost != never {
		all = append(all, ending{d.lost + facts.ToMillis(closedStable), facts.StopLost})
	}
	if !d.answered() {
		all = append(all, ending{d.stuck.kill(d.settle), facts.StopKills})
	}
	if o, ok := d.endpoint(); ok {
		return append(all, d.spoken(o))
	}
	all = append(all, ending{d.proved(), facts.StopProof})
	if d.listens() {
		return append(all, ending{d.calm(0), facts.StopQuiet})
	}
	// Where nothing listens, only the window ends what is not stuck.
	return append(all, ending{d.stuck.due(), facts.StopWaits})
}

// answered reports whether anything ever answered HTTP.
func (d *Decider) answered() bool {
	for _, o := range d.outcomes {
		if o.answer.Class == facts.ClassHTTP {
			return true
		}
	}
	return false
}

// overtime is how long a run is watched after its window: a program that is
// known never to listen is not.
func (d *Decider) overtime() time.Duration {
	expect := d.spec.Expect
	if d.spec.Wrapped || expect.Complete && len(expect.Listens) == 0 {
		return 0
	}
	return max(d.spec.Target.BootWindow/2, leastOvertime)
}
