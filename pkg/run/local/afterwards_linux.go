package local

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe/cage"
)

// These are an engine's runner's own; see there.
const (
	stopPatience  = 3 * time.Second
	checkPatience = 10 * time.Second
	dockerTimeout = 30 * time.Second
	checkTries    = 3
	checkPause    = 500 * time.Millisecond
	checkOutput   = 2048
)

// afterwards looks at what has nothing to do with the platform's health
// check, after that was answered: what is seen here is no part of the run.
func (s *session) afterwards(ctx context.Context, seen facts.Run) (facts.Run, error) {
	signals, answered := seen.LastSignals()
	spec := s.target.spec
	if spec.Brief || spec.Wrapped || !answered {
		return seen, nil
	}
	config := s.target.image.facts.Config
	if argv := config.CheckArgv(); argv != nil {
		s.healthcheck(ctx, argv, &seen)
	}
	name, number := config.Stopping()
	if number != 0 && signals.Heeds(number) == facts.Unknown {
		seen.StopTry = s.tryStop(ctx, name, number)
	}
	return seen, context.Cause(ctx)
}

// healthcheck runs the image's HEALTHCHECK as Docker would, until a try
// succeeds; the last one counts. What keeps it is noted in the run.
func (s *session) healthcheck(ctx context.Context, argv []string, seen *facts.Run) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	check := cage.Check{Argv: argv, Output: checkOutput,
		Timeout: cmp.Or(s.target.image.facts.Config.Healthcheck.Timeout.Duration(), dockerTimeout)}
	for try := 1; ; try++ {
		begun := s.now()
		done, err := s.check(ctx, check)
		if err != nil && seen.Healthcheck != nil {
			return // what the try before said holds
		}
		if err != nil {
			seen.Blind = append(seen.Blind, fmt.Sprintf("the image's HEALTHCHECK could not be tried: %v", err))
			return
		}
		r := &facts.CheckResult{T: begun, Argv: argv, Code: done.Code, Took: facts.ToMillis(done.Took), TimedOut: done.TimedOut,
			Output: strings.TrimSpace(strings.ToValidUTF8(string(done.Output), "\uFFFD"))}
		if r.TimedOut {
			r.Code = -1
		}
		seen.Healthcheck = r
		absent := r.Code == 126 || r.Code == 127 // another try does not change that
		if r.Code == 0 || r.TimedOut || absent || try == checkTries {
			return
		}
		if !s.pause(ctx, checkPause) {
			return
		}
	}
}

// check makes one try.
func (s *session) check(ctx context.Context, c cage.Check) (cage.Checked, error) {
	if err := cage.Tell(s.keeper.control, cage.Order{Check: &c}); err != nil {
		return cage.Checked{}, fmt.Errorf("tell the container's keeper: %w", err)
	}
	for {
		select {
		case piece := <-s.keeper.output:
			s.stirs(piece)
		case r, ok := <-s.keeper.reports:
			switch {
			case !ok || r.Ended:
				return cage.Checked{}, fmt.Errorf("the container ended meanwhile")
			case r.Checked == nil:
			case r.Checked.Failed != "":
				return cage.Checked{}, fmt.Errorf("%s", r.Checked.Failed)
			default:
				return *r.Checked, nil
			}
		case <-ctx.Done():
			return cage.Checked{}, fmt.Errorf("it did not end within %s", checkPatience)
		}
	}
}

// pause waits, and reports whether the container goes on.
func (s *session) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case piece := <-s.keeper.output:
			s.stirs(piece)
		case r, ok := <-s.keeper.reports:
			if !ok || r.Ended {
				return false
			}
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// tryStop sends the stop signal and waits until something moves. It returns
// nil when that could not be told.
func (s *session) tryStop(ctx context.Context, name string, number int) *facts.StopTry {
	begun := time.Now()
	if err := cage.Tell(s.keeper.control, cage.Order{Signal: number}); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	moved := s.moves(ctx)
	if !moved && ctx.Err() != context.DeadlineExceeded {
		return nil
	}
	return &facts.StopTry{Signal: name, Moved: moved, Took: facts.ToMillis(time.Since(begun))}
}

// moves reports whether the program does anything before the context ends.
func (s *session) moves(ctx context.Context) bool {
	for {
		select {
		case piece := <-s.keeper.output:
			if s.stirs(piece) {
				return true
			}
		case r, ok := <-s.keeper.reports:
			if !ok || r.Ended {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// stirs reports whether a piece of output shows that the program did something.
func (s *session) stirs(c chunk) bool {
	if c.stream != "stdout" {
		return len(c.data) > 0
	}
	log, events := s.decoder.Feed(c.data)
	for _, e := range events {
		switch e.Kind {
		case facts.EventBeat, facts.EventAnswer, facts.EventSignals:
		default:
			return true
		}
	}
	return len(log) > 0 || len(c.data) == 0
}
