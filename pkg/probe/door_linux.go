package probe

import (
	"net/netip"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	otherDelay  = 300 * millisecond // before a port that is not the endpoint is asked
	firstPause  = 50 * millisecond
	longPause   = second
	maxAttempts = 4 // on a port that is not the endpoint, or from inside
)

// door is a tcp port, for one request, on which something listens or listened.
type door struct {
	port     int
	request  int // index of the request that is made
	endpoint bool
	open     bool
	outside  target // as the platform would ask
	inside   target // on the loopback address, to learn what is there
	ask      *ask   // at most one at a time
	asked    *target
	path     string // where the redirects of the question have led; "": none were followed
	hops     int    // how many
}

// target is one address of a door.
type target struct {
	to       netip.Addr
	next     instant // when to ask; never: not until the listeners change
	pause    instant
	attempts int
	knocked  int
	last     facts.Answer
	passed   bool
}

// opened plans the questions after the listeners of the port changed.
func (d *door) opened(address netip.Addr, s socket, now instant) {
	d.open = true
	d.outside.to, d.inside.to = address, s.loopback()
	if loopback := s.addr.Unmap().IsLoopback(); !address.IsValid() || loopback && !d.endpoint {
		d.outside.to = d.inside.to
	}
	if !d.endpoint {
		now += otherDelay
	}
	if !d.outside.passed {
		d.outside.again(now)
	}
	d.inside.next, d.inside.attempts = never, 0
}

func (t *target) again(at instant) { t.next, t.pause, t.attempts = at, 0, 0 }

// due returns the target to ask now, if any, and else when to look again.
func (d *door) due(now instant) (*target, instant) {
	if !d.open || d.ask != nil {
		return nil, never
	}
	for _, t := range []*target{&d.outside, &d.inside} {
		if t.next <= now {
			return t, now
		}
	}
	return nil, min(d.outside.next, d.inside.next)
}

// settle decides what to ask next after an answer.
func (d *door) settle(t *target, a facts.Answer, probe facts.Probe, now instant) {
	t.next = never
	t.attempts++
	outside := t == &d.outside
	passes := probe.Passes(a)
	tells := tellsInside(a) || probe.Loopback && !passes
	if outside && d.inside.to != d.outside.to && tells && d.inside.attempts == 0 {
		d.inside.again(now)
	}
	counts := outside || probe.Loopback
	if counts && passes {
		t.passed = true
		return
	}
	patient := counts && d.endpoint
	switch a.Class {
	case facts.ClassHTTP:
		if patient {
			t.next = now + longPause
		}
	case facts.ClassClosed, facts.ClassReset, facts.ClassSilent, facts.ClassFailed:
		silent := a.Class == facts.ClassSilent || a.Class == facts.ClassFailed
		if patient || !silent && t.attempts < maxAttempts {
			t.pause = min(max(2*t.pause, firstPause), longPause)
			t.next = now + t.pause
		}
	}
}

// tellsInside reports whether the answer from outside makes the one from
// inside worth knowing: nobody is there, or the server may have refused the
// request for its Host header, which is another one inside.
func tellsInside(a facts.Answer) bool {
	switch a.Status {
	case 400, 403, 421:
		return true
	}
	return a.Class == facts.ClassRefused
}

// same reports whether two outcomes say the same.
func same(a, b facts.Answer) bool {
	return a.Class == b.Class && a.Status == b.Status && a.Protocol == b.Protocol &&
		a.Location == b.Location && a.Followed == b.Followed && a.ALPN == b.ALPN && a.Server == b.Server && a.Error == b.Error
}
