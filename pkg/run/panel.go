package run

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
)

// Requests are the distinct requests of all targets, that of Target first.
// Targets that send the same bytes to the same port share one; it is repeated
// until the answer is good enough for each of them.
func (s Spec) Requests() []probe.Request {
	var requests []probe.Request
	for _, t := range s.targets() {
		i := slices.IndexFunc(requests, func(r probe.Request) bool { return sameRequest(r, t) })
		if i < 0 {
			requests = append(requests, probe.Request{Endpoint: t.Endpoint.Port, Probe: t.Probe})
			continue
		}
		requests[i].Probe = strictest(requests[i].Probe, t.Probe)
	}
	return requests
}

// LongestWindow is the longest boot window of all targets.
func (s Spec) LongestWindow() time.Duration {
	longest := time.Duration(0)
	for _, t := range s.targets() {
		longest = max(longest, t.BootWindow)
	}
	return longest
}

func (s Spec) targets() []facts.Target {
	return append([]facts.Target{s.Target}, s.Also...)
}

func sameRequest(r probe.Request, t facts.Target) bool {
	a, b := r.Probe, t.Probe
	return r.Endpoint == t.Endpoint.Port && a.Method == b.Method && a.Path == b.Path && a.Host == b.Host &&
		a.Loopback == b.Loopback && a.Follow == b.Follow && strings.Join(a.Headers, "\n") == strings.Join(b.Headers, "\n")
}

// strictest accepts what both accept, and is as patient as the more patient one.
func strictest(a, b facts.Probe) facts.Probe {
	patience := max(a.TryTimeout, b.TryTimeout)
	switch {
	case a.TCP:
		a = b
	case !b.TCP:
		a.Accept = intersect(a.Accept, b.Accept)
	}
	a.TryTimeout = patience
	return a
}

// impossible accepts nothing: no status is 0.
var impossible = []facts.StatusRange{{}}

func intersect(a, b []facts.StatusRange) []facts.StatusRange {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	var both []facts.StatusRange
	for _, x := range a {
		for _, y := range b {
			if r := (facts.StatusRange{From: max(x.From, y.From), To: min(x.To, y.To)}); r.From <= r.To {
				both = append(both, r)
			}
		}
	}
	if both == nil {
		return impossible
	}
	return both
}

// member decides for one target of a run.
type member struct {
	*Decider
	request int  // index of its request
	hasty   bool // it waits less long for an answer than the request does
	stop    facts.Stop
	at      facts.Millis // when it decided
}

// sees returns the event as the target's own probe would tell it; false: it
// would not. Another request's answer tells something only about other ports.
func (m *member) sees(e facts.Event) (facts.Event, bool) {
	if e.Kind != facts.EventAnswer {
		return e, true
	}
	a, target := *e.Answer, m.spec.Target
	if a.Request != m.request && (a.Port == target.Endpoint.Port || target.Endpoint.Port == 0) {
		return e, false
	}
	if patience := facts.ToMillis(target.Probe.TryTimeout); m.hasty && a.Request == m.request && a.Took > patience {
		e.T -= a.Took - patience
		a = facts.Answer{To: a.To, Port: a.Port, Class: facts.ClassSilent, Asked: a.Asked, Took: patience}
	}
	a.Request = 0
	e.Answer = &a
	return e, true
}

// panel decides for all targets of a run: it goes on until each has seen enough.
type panel struct{ members []*member }

func newPanel(spec Spec) *panel {
	requests := spec.Requests()
	p := &panel{}
	for _, t := range spec.targets() {
		own := spec
		own.Target, own.Also = t, nil
		i := slices.IndexFunc(requests, func(r probe.Request) bool { return sameRequest(r, t) })
		hasty := t.Probe.TryTimeout < requests[i].Probe.TryTimeout
		p.members = append(p.members, &member{Decider: NewDecider(own), request: i, hasty: hasty})
	}
	return p
}

// Event tells every member what its target would see.
func (p *panel) Event(e facts.Event) {
	for _, m := range p.members {
		if own, ok := m.sees(e); ok {
			m.Event(own)
		}
	}
}

// Log tells that the program wrote a line.
func (p *panel) Log(t facts.Millis, text string) {
	for _, m := range p.members {
		m.Log(t, text)
	}
}

// Exit tells that the container ended by itself.
func (p *panel) Exit() {
	for _, m := range p.members {
		m.Exit()
	}
}

// Unseen tells that only the log and the end can be seen.
func (p *panel) Unseen() {
	for _, m := range p.members {
		m.Unseen()
	}
}

// Decide returns why the run is to be ended now, or "" and when to ask again.
func (p *panel) Decide(now facts.Millis) (facts.Stop, facts.Millis) {
	next, last := never, p.members[0]
	for _, m := range p.members {
		if m.stop == "" {
			m.stop, m.at = m.Decide(now)
		}
		if m.stop == "" {
			next = min(next, m.at)
		} else if last.stop != "" && m.at > last.at {
			last = m
		}
	}
	if next != never {
		return "", next
	}
	return last.stop, now
}

// View is what the run would have been for one of its targets alone; 0 is
// Spec.Target, 1 the first of Spec.Also.
func View(r facts.Run, spec Spec, target int) facts.Run {
	m := newPanel(spec).members[target]
	if len(spec.Also) == 0 {
		return r
	}
	view := r
	view.Events, view.Log.Lines = nil, nil
	for _, h := range m.history(r) {
		if m.over(h.t) {
			break
		}
		switch {
		case h.event != nil:
			view.Events = append(view.Events, *h.event)
			m.Event(*h.event)
		case h.line != nil:
			view.Log.Lines = append(view.Log.Lines, *h.line)
			m.Log(h.t, h.line.Text)
		default:
			m.Work(h.t)
		}
	}
	if m.over(r.Took + 1) {
		view.Stopped, view.Took = m.stop, m.at
		if !spec.Wrapped {
			view.Exit = nil // it ended after this target had seen enough
		}
	}
	return view
}

// happening is one of a run's events, lines or, with neither, beats of work.
type happening struct {
	t     facts.Millis
	event *facts.Event
	line  *facts.LogLine
}

// history returns all that the target sees of a run, in order.
func (m *member) history(r facts.Run) []happening {
	var all []happening
	for i := range r.Log.Lines {
		all = append(all, happening{t: r.Log.Lines[i].T, line: &r.Log.Lines[i]})
	}
	for _, e := range r.Events {
		if own, ok := m.sees(e); ok {
			all = append(all, happening{t: own.T, event: &own})
		}
	}
	for _, t := range r.Worked {
		all = append(all, happening{t: t})
	}
	slices.SortStableFunc(all, func(a, b happening) int { return cmp.Compare(a.t, b.t) })
	return all
}

// over reports whether the target had seen enough before a time.
func (m *member) over(t facts.Millis) bool {
	if m.stop != "" {
		return true
	}
	if due, stop := m.due(); t > due {
		m.stop, m.at = stop, due
	}
	return m.stop != ""
}
