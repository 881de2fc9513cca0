package run

import (
	"slices"

	"github.com/imglint/imglint/pkg/facts"
)

// reachable reports whether others can connect to the listener over IPv4.
func reachable(s facts.Socket) bool {
	scope := s.Scope()
	return s.Network == "tcp" && (scope == facts.ScopeAny || scope == facts.ScopeAddress)
}

// endpoint reports whether a reachable listener has the platform's port, with
// its last outcome from outside.
func (d *Decider) endpoint() (outcome, bool) {
	port := d.spec.Target.Endpoint.Port
	listens := slices.ContainsFunc(d.open, func(s facts.Socket) bool {
		return s.Port == port && reachable(s)
	})
	if !listens {
		return outcome{}, false
	}
	var last outcome
	for key, o := range d.outcomes {
		if int(key.Port()) == port && !key.Addr().IsLoopback() && o.since >= last.since {
			last = o
		}
	}
	return last, true
}

// spoken returns when the way the endpoint answers is certain not to change.
func (d *Decider) spoken(o outcome) ending {
	switch o.answer.Class {
	case facts.ClassOther, facts.ClassTLS:
		return ending{o.since + d.settle, facts.StopProof}
	case facts.ClassClosed, facts.ClassReset:
		if d.expectsOther() {
			return ending{o.since + d.settle, facts.StopProof}
		}
		return ending{max(o.since, d.sockets, d.processes, d.worked) + facts.ToMillis(closedStable), facts.StopProof}
	case facts.ClassHTTP:
		// A 5xx is what a booting application answers; a redirect or a 404
		// rarely becomes anything else.
		if o.answer.Status < 500 {
			return ending{d.calm(o.since), facts.StopQuiet}
		}
	}
	return ending{at: never}
}

// expectsOther reports whether the prediction says that the endpoint speaks
// something other than HTTP.
func (d *Decider) expectsOther() bool {
	return slices.ContainsFunc(d.spec.Expect.Listens, func(l facts.Listen) bool {
		known := l.Protocol != "" && l.Protocol != "http" && l.Protocol != "https"
		return l.Network == "tcp" && l.Port == d.spec.Target.Endpoint.Port && known
	})
}

func (d *Decider) changed() facts.Millis {
	return max(d.sockets, d.processes, d.logged)
}

// calm returns when nothing changed for long enough. A log that never pauses
// does not put it off for ever; work does: who computes may be booting.
func (d *Decider) calm(since facts.Millis) facts.Millis {
	quiet := max(since, d.changed()) + facts.ToMillis(quietStable)
	chatty := max(since, d.sockets, d.processes) + facts.ToMillis(chattyStable)
	return max(min(quiet, chatty), d.worked+facts.ToMillis(quietStable))
}

// proved returns when all of a complete prediction was seen, and asked.
func (d *Decider) proved() facts.Millis {
	expect := d.spec.Expect
	if !expect.Complete || len(expect.Listens) == 0 {
		return never
	}
	for _, l := range expect.Listens {
		if l.Network != "udp" && !d.seen(l) {
			return never
		}
	}
	due := d.sockets
	for _, s := range d.open {
		if s.Network != "tcp" {
			continue
		}
		asked := never
		for key, o := range d.outcomes {
			if int(key.Port()) == s.Port {
				asked = min(asked, o.since)
			}
		}
		if asked == never {
			return never
		}
		due = max(due, asked)
	}
	return due + d.settle
}

func (d *Decider) seen(l facts.Listen) bool {
	return slices.ContainsFunc(d.open, func(s facts.Socket) bool {
		if l.Network == "unix" {
			return s.Network == "unix" && s.Path == l.Path
		}
		return s.Network == l.Network && l.Port != 0 && s.Port == l.Port &&
			l.Scope != facts.ScopeUnknown && s.Scope() == l.Scope
	})
}

// listens reports whether there is any TCP listener.
func (d *Decider) listens() bool {
	return slices.ContainsFunc(d.open, func(s facts.Socket) bool { return s.Network == "tcp" })
}
