package local

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe/cage"
	"github.com/imglint/imglint/pkg/run"
)

// afterwards looks at what has nothing to do with the platform's health
// check, after that was answered: what is seen here is no part of the run.
func (s *session) afterwards(ctx context.Context, seen facts.Run) (facts.Run, error) {
	check, signal, number := s.target.spec.Afterwards(s.target.image.facts.Config, &seen)
	if check != nil {
		s.healthcheck(ctx, check, &seen)
	}
	if number != 0 {
		seen.StopTry = s.tryStop(ctx, signal, number)
	}
	if check == nil && number == 0 {
		return seen, nil
	}
	return seen, context.Cause(ctx)
}

// healthcheck runs the image's HEALTHCHECK as Docker would, until a try
// succeeds; the last one counts. What keeps it is noted in the run.
func (s *session) healthcheck(ctx context.Context, argv []string, seen *facts.Run) {
	ctx, cancel := context.WithTimeout(ctx, run.CheckPatience)
	defer cancel()
	check := cage.Check{Argv: argv, Output: run.CheckOutput,
		Timeout: cmp.Or(s.target.image.facts.Config.Healthcheck.Timeout.Duration(), run.CheckTimeout)}
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
		if run.Settled(r, try) || !s.pause(ctx, run.CheckPause) {
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
			return cage.Checked{}, fmt.Errorf("it did not end within %s", run.CheckPatience)
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
	ctx, cancel := context.WithTimeout(ctx, run.StopPatience)
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
	return run.Stirs(events) || len(log) > 0 || len(c.data) == 0
}
