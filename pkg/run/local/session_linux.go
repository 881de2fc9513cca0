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
	// memoryPause is between two looks for processes killed for memory; a
	// program fills half a gigabyte of it in ten.
	memoryPause = 20 * time.Millisecond
)

// session is the watching of one container.
type session struct {
	target  *target
	keeper  *keeper
	record  *run.Record
	decoder *probe.Decoder
	group   *cgroup

	base   time.Time // when the program was executed
	ends   int       // of streams
	silent time.Time // when the output ended
	killed bool      // the kernel killed something for memory
	// outside: the kernel killed something for memory, and not at the run's limit.
	outside bool
	files   int64 // the most bytes of memory that files were seen to take
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
			return s.stopped(ctx, stop)
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
	s.files = max(s.files, s.group.files())
	switch s.group.killed() {
	case atLimit:
		s.killed = true
		s.record.Event(facts.Event{T: s.now(), Kind: facts.EventOOM})
	case outside:
		s.outside = true
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
		return facts.Run{}, notAllowed(sysctls, last.Failed)
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
	if stop == facts.StopAnswered && len(s.target.spec.Also) == 0 {
		stop = facts.StopExited // it answered, and was gone before anybody could use it
	}
	return s.sure(s.record.Finish(stop, took, exitFacts(took, status, s.killed)))
}

// stopped finishes a run that goes on.
func (s *session) stopped(ctx context.Context, stop facts.Stop) (facts.Run, error) {
	seen := s.record.Finish(stop, s.now(), nil)
	if stop == facts.StopAnswered {
		return s.afterwards(ctx, seen)
	}
	return s.sure(seen)
}

// manyFiles is the part of the memory limit from which files count: what is
// written to the root file system is on an engine's disk and here in memory.
const manyFiles = 4

// sure returns an error when a process was killed for memory that the run did
// not need more of than its limit, or when files that would have been on a disk
// took much of it.
func (s *session) sure(seen facts.Run) (facts.Run, error) {
	if s.outside && !s.killed && (seen.Exit == nil || seen.Exit.Code == 128+int(unix.SIGKILL)) {
		return seen, &InconclusiveError{Run: seen, Why: "the kernel killed a process for want of memory, and not at the limit of this run: " +
			"the machine has too little, or what imglint itself runs in (the container of a CI job, a systemd unit) may use too little; " +
			"give it more"}
	}
	if !s.killed || s.files < s.target.spec.Limits.Memory/manyFiles {
		return seen, nil
	}
	return seen, &InconclusiveError{Run: seen, Why: fmt.Sprintf(
		"a process was killed at the memory limit of %d MiB, of which %d MiB were files that it wrote, which without an engine are in memory; "+
			"set a larger --memory, or use an engine", s.target.spec.Limits.Memory>>20, s.files>>20)}
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
