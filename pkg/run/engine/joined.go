package engine

import (
	"fmt"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// This file is what a session does with a sidecar.

// told gives how the joining went, once; never without a sidecar.
func (s *sidecar) told() <-chan error {
	if s == nil {
		return nil
	}
	return s.started
}

// joined notes how the joining went. A program that runs is watched on by what
// is left to see.
func (s *session) joined(err error) {
	if err != nil {
		s.missed = err
		s.record.SetWay(facts.WayLogs)
		return
	}
	if s.beside.alone != nil {
		s.record.Blind(fmt.Sprintf(blindOwners, s.beside.alone))
	}
}

// split takes the frames out of a piece of output.
func (s *session) split(c chunk) (log []byte, events []facts.Event) {
	switch {
	case c.stream == streamFrames:
		_, events = s.decoder.Feed(c.data)
		return nil, events
	case c.stream == "stdout" && s.beside == nil:
		return s.decoder.Feed(c.data)
	}
	return c.data, nil
}

// place gives an event the program's time.
func (s *session) place(e facts.Event, at time.Time) facts.Event {
	switch {
	case s.beside != nil:
		first := !s.beside.seeing
		e = s.beside.placed(e, at)
		if first {
			s.record.Blind(fmt.Sprintf(blindSidecar, s.target.why, s.beside.offset.Duration().Round(10*time.Millisecond)))
		}
	case e.Kind == facts.EventExec:
		s.base = at
	}
	return e
}

// unjoined says why nothing was seen of what a sidecar was to see.
func (s *session) unjoined(ended bool) {
	switch {
	case s.beside == nil || s.beside.seeing:
	case ended:
		s.record.SetWay(facts.WayLogs)
		s.record.Blind(blindTooShort)
	case s.missed != nil:
		s.record.Blind(fmt.Sprintf(blindJoin, s.missed))
	}
}
