package local

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/probe/cage"
	"github.com/imglint/imglint/pkg/run"
)

const (
	// execPatience bounds how long it takes to execute the program; giving
	// 100,000 files to their owners takes a few seconds.
	execPatience = 60 * time.Second
	// drainPatience bounds how long output may arrive after the end.
	drainPatience = 2 * time.Second
	// memoryPause is between two looks for processes killed for memory.
	memoryPause = 50 * time.Millisecond
)

// session is the watching of one container.
type session struct {
	keeper  *keeper
	record  *run.Record
	decoder *probe.Decoder
	group   *cgroup

	base   time.Time // when the program was executed
	ends   int       // of streams
	silent time.Time // when the output ended
	killed bool      // the kernel killed something for memory
}

func (s *session) now() facts.Millis { return facts.ToMillis(time.Since(s.base)) }

// watch follows the run to its end.
func (s *session) watch(ctx context.Context) (facts.Run, error) {
	memory := time.NewTicker(memoryPause)
	defer memory.Stop()
	for {
		stop, next := s.record.Decide(s.now())
		if !s.record.Executed() {
			stop, next = "", facts.ToMillis(execPatience)
			if s.now() >= next {
				return facts.Run{}, fmt.Errorf("the probe inside the container did not report within %s", execPatience)
			}
		}
		if stop != "" {
			return s.record.Finish(stop, s.now(), nil), nil
		}
		timer := time.NewTimer(next.Duration() - s.now().Duration())
		select {
		case c := <-s.keeper.output:
			s.take(c)
		case r, ok := <-s.keeper.reports:
			if !ok || !r.Started {
				timer.Stop()
				return s.ended(ctx, r)
			}
		case <-memory.C:
			s.memory()
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return s.record.Finish(facts.StopInterrupted, s.now(), nil), context.Cause(ctx)
		}
		timer.Stop()
	}
}

// take records a piece of output.
func (s *session) take(c chunk) {
	if len(c.data) == 0 {
		s.ends++
		s.silent = c.at
		return
	}
	var seen []facts.Event
	if c.stream == "stdout" {
		c.data, seen = s.decoder.Feed(c.data)
	}
	for _, e := range seen {
		if e.Kind == facts.EventExec {
			s.base = c.at
		}
		s.record.Event(e)
	}
	s.record.Write(max(0, facts.ToMillis(c.at.Sub(s.base))), c.stream, c.data)
}

func (s *session) memory() {
	if s.group.killed() {
		s.killed = true
		s.record.Event(facts.Event{T: s.now(), Kind: facts.EventOOM})
	}
}

// ended finishes a run whose keeper reports the end; with nothing, when it was
// killed.
func (s *session) ended(ctx context.Context, last cage.Report) (facts.Run, error) {
	at := time.Now()
	s.drain(ctx)
	switch {
	case last.Refused != "":
		return s.record.Finish(facts.StopExited, 0, &facts.Exit{Code: 128, Refused: last.Refused}), nil
	case last.NoOverlay:
		return facts.Run{}, fmt.Errorf("%w: %s", errNoOverlay, last.Failed)
	case last.Failed != "":
		return facts.Run{}, unsupported("%s%s", last.Failed, hint())
	case ctx.Err() != nil:
		return s.record.Finish(facts.StopInterrupted, s.now(), nil), context.Cause(ctx)
	case !last.Ended:
		return s.record.Finish(facts.StopLost, s.now(), nil), fmt.Errorf("the container was killed from outside")
	}
	status := unix.WaitStatus(last.Wait)
	if !s.record.Executed() {
		return facts.Run{}, fmt.Errorf("the probe inside the container ended with %d before the program began", status.ExitStatus())
	}
	if s.silent.Before(at) && !s.silent.IsZero() {
		at = s.silent
	}
	s.memory()
	s.record.Exit()
	took := max(0, facts.ToMillis(at.Sub(s.base)))
	stop, _ := s.record.Decide(took)
	return s.record.Finish(stop, took, exitFacts(took, status, s.killed)), nil
}

// drain takes what is still on its way.
func (s *session) drain(ctx context.Context) {
	timer := time.NewTimer(drainPatience)
	defer timer.Stop()
	for s.ends < 2 {
		select {
		case c := <-s.keeper.output:
			s.take(c)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
	s.record.Write(s.now(), "stdout", s.decoder.Flush())
}
