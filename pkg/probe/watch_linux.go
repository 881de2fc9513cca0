package probe

import (
	"slices"

	"github.com/imglint/imglint/pkg/facts"
)

func (o *observer) pollTCP(now instant) instant {
	end := o.poll(o.tcp, now)
	o.queues(now)
	pause := tcpFast
	if now-o.changed > tcpFastFor {
		pause = tcpSlow
	}
	return after(now, end, max(pause, o.tcpPause))
}

func (o *observer) pollUnix(now instant) instant {
	return after(now, o.poll(o.unix, now), unixPause)
}

func (o *observer) pollUDP(now instant) instant {
	return after(now, o.poll(o.udp, now), udpPause)
}

// after returns when to look again after a look from now to end.
func after(now, end, pause instant) instant {
	return max(now+pause, end+leisure*(end-now))
}

// poll looks at one kind of socket, tells what changed, and returns when it
// had looked.
func (o *observer) poll(t *table, now instant) (looked instant) {
	opened, closed := t.poll()
	looked = clock()
	if len(opened) == 0 && len(closed) == 0 {
		return looked
	}
	o.changed = now
	for _, e := range closed {
		o.tell(t, e, facts.EventClosed, now)
	}
	opened = opened[:min(len(opened), maxListening-o.listening)]
	o.processes.owners(opened)
	for _, e := range opened {
		e.told = true
		o.listening++
		o.tell(t, e, facts.EventListening, now)
	}
	if t == o.tcp {
		o.askAbout(slices.Concat(closed, opened), now)
	}
	return looked
}

// askAbout plans questions for the ports whose listeners changed.
func (o *observer) askAbout(changed []*entry, now instant) {
	var ports []uint16
	for _, e := range changed {
		if !slices.Contains(ports, e.port) {
			ports = append(ports, e.port)
			o.asker.changed(int(e.port), o.tcp.on(e.port), now)
		}
	}
}

func (o *observer) tell(t *table, e *entry, kind facts.EventKind, now instant) {
	s := e.facts(t.network)
	s.PID, s.Argv = e.pid, e.argv
	o.emit(now, facts.Event{Kind: kind, Socket: s})
}

func (o *observer) pollProcesses(now instant) instant {
	changed, ended := o.processes.scan()
	o.lately = ended
	o.tellProcesses(changed, now)
	pause := processFast
	if now-o.started > processFastFor {
		pause = processSlow
	}
	return after(now, clock(), pause)
}

func (o *observer) tellProcesses(changed []*process, now instant) {
	for _, p := range changed {
		if o.seen++; o.seen > maxProcesses {
			return
		}
		o.emit(now, facts.Event{Kind: facts.EventProcess, Process: &p.Process})
	}
}
