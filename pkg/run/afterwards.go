package run

import (
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// What is looked at after a good answer, by all runners alike.
const (
	// StopPatience is how long the first process may do nothing at all after a
	// stop signal before it counts as deaf to it. A server that stops gracefully
	// closes its listener or writes to its log at once.
	StopPatience = 3 * time.Second
	// CheckPatience bounds all tries of an image's HEALTHCHECK, whose own
	// timeout may be longer.
	CheckPatience = 10 * time.Second
	// CheckTimeout is what Docker gives one try of a HEALTHCHECK without --timeout.
	CheckTimeout = 30 * time.Second
	// CheckTries and CheckPause: a container is unhealthy after three failures
	// in a row, by default.
	CheckTries = 3
	CheckPause = 500 * time.Millisecond
	// CheckOutput is how many bytes are kept of what a try prints.
	CheckOutput = 2048
)

// Afterwards tells what is to be looked at after a run that was answered: the
// command of the image's HEALTHCHECK, and the stop signal if what is known of
// the first process does not tell whether it heeds it.
func (s Spec) Afterwards(config facts.Config, seen *facts.Run) (check []string, signal string, number int) {
	signals, answered := seen.LastSignals()
	if s.Brief || s.Wrapped || !answered {
		return nil, "", 0
	}
	if signal, number = config.Stopping(); number == 0 || signals.Heeds(number) != facts.Unknown {
		signal, number = "", 0
	}
	return config.CheckArgv(), signal, number
}

// Settled reports whether another try of a HEALTHCHECK changes nothing: it
// succeeded, took too long, or its program was not found or not executable.
func Settled(r *facts.CheckResult, try int) bool {
	return r.Code == 0 || r.TimedOut || r.Code == 126 || r.Code == 127 || try >= CheckTries
}

// Stirs reports whether one of the events shows that the program did something.
func Stirs(events []facts.Event) bool {
	for _, e := range events {
		switch e.Kind {
		case facts.EventBeat, facts.EventAnswer, facts.EventSignals:
		default:
			return true
		}
	}
	return false
}
