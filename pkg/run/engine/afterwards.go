package engine

import (
	"context"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// afterwards looks at what has nothing to do with the platform's health
// check, after that was answered: what is seen here is no part of the run.
func (s *session) afterwards(ctx context.Context, seen facts.Run) (facts.Run, error) {
	config := s.target.image.facts.Config
	check, signal, number := s.target.spec.Afterwards(config, &seen)
	if check != nil {
		seen.Healthcheck = s.healthcheck(ctx, config, check, &seen)
	}
	if number != 0 {
		seen.StopTry = s.tryStop(ctx, signal)
	}
	if check == nil && number == 0 {
		return seen, nil
	}
	return seen, context.Cause(ctx)
}

// tryStop sends the stop signal and waits until something moves. It returns
// nil when that could not be told.
func (s *session) tryStop(ctx context.Context, signal string) *facts.StopTry {
	begun := time.Now()
	if err := s.target.image.engine.api.kill(ctx, s.id, signal); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, run.StopPatience)
	defer cancel()
	moved := s.moves(ctx)
	if !moved && ctx.Err() != context.DeadlineExceeded {
		return nil
	}
	return &facts.StopTry{Signal: signal, Moved: moved, Took: facts.ToMillis(time.Since(begun))}
}

// moves reports whether the program does anything before the context ends.
func (s *session) moves(ctx context.Context) bool {
	for {
		select {
		case c := <-s.output:
			if s.stirs(c) {
				return true
			}
		case <-s.end.end:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// stirs reports whether a piece of output shows that the program did something.
func (s *session) stirs(c chunk) bool {
	log, events := s.split(c)
	return run.Stirs(events) || len(log) > 0 || len(c.data) == 0 && c.stream == "stdout"
}

// idle reads the program's output for as long as something else takes: a
// program whose output nobody reads stands still. It reports whether the
// container ended meanwhile.
func (s *session) idle(ctx context.Context, done <-chan struct{}) (ended bool) {
	for {
		select {
		case <-done:
			return false
		case c := <-s.output:
			s.split(c)
		case <-s.end.end:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
