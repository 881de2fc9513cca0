package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
	"github.com/imglint/imglint/pkg/run"
)

const (
	// execPatience bounds how long the probe takes from the engine's answer to
	// executing the program.
	execPatience = 15 * time.Second
	// drainPatience bounds how long output may arrive after the end.
	drainPatience = 2 * time.Second
)

// chunk is a piece of the container's output; the last one of a stream is empty.
type chunk struct {
	stream string
	data   []byte
	at     time.Time
}

// session is the watching of one started container.
type session struct {
	target  *target
	beside  *sidecar // nil: the program's own output has the frames
	id      string
	record  *run.Record
	decoder *probe.Decoder
	output  chan chunk
	end     waiting
	news    <-chan events.Message
	done    chan struct{} // closed by release
	closers []func()

	base    time.Time // when the program was executed
	silent  time.Time // when the output ended
	missed  error     // why a sidecar could not join
	killed  bool      // the kernel killed something for memory
	ordered bool      // somebody ended the container through the engine
}

// prepare registers for everything that will happen, before it does.
func (t *target) prepare(ctx context.Context, id string, record *run.Record) (_ *session, err error) {
	api := t.image.engine.api
	s := &session{target: t, id: id, record: record, decoder: probe.NewDecoder(t.nonce), output: make(chan chunk), done: make(chan struct{})}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if t.way == facts.WaySidecar {
		if s.beside, err = t.newSidecar(ctx, id); err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func() { s.beside.close(ctx) })
	}
	var stop context.CancelFunc
	if s.end, stop, err = api.wait(ctx, id); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, stop)
	s.news, stop, err = api.incidents(ctx, id)
	if err != nil && !isKind(err, KindRefused) { // its record tells as well, later
		return nil, err
	}
	s.closers = append(s.closers, stop)
	conn, err := api.attach(ctx, id, false)
	if isKind(err, KindRefused) {
		err = t.reason(ctx, id, err)
	}
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, conn.Close, func() { close(s.done) })
	go s.pump(conn, "stdout")
	return s, nil
}

// release ends everything that prepare began.
func (s *session) release() {
	for _, stop := range slices.Backward(s.closers) {
		stop()
	}
}

// sink hands one stream's output over until the session is released.
type sink struct {
	stream string
	output chan<- chunk
	done   <-chan struct{}
}

var errReleased = errors.New("the session is over")

func (w sink) Write(p []byte) (int, error) {
	select {
	case w.output <- chunk{w.stream, slices.Clone(p), time.Now()}:
		return len(p), nil
	case <-w.done:
		return 0, errReleased
	}
}

// pump reads the output for as long as there is any: a program whose output
// nobody reads stands still.
func (s *session) pump(conn types.HijackedResponse, name string) {
	stdout := sink{name, s.output, s.done}
	stderr := sink{"stderr", s.output, s.done}
	_ = demultiplex(conn, stdout, stderr) // an early end shows by what is missing
	_, _ = stdout.Write(nil)
}

// begin notes what is known of a container that has just been started, and has
// it joined where it runs unchanged.
func (s *session) begin(ctx context.Context) error {
	s.base = time.Now()
	t := s.target
	if unchanged(t.way) {
		s.record.Event(facts.Event{Kind: facts.EventExec, PID: 1, Argv: t.spec.Argv})
	}
	if s.beside != nil {
		s.beside.start(ctx, s.base, s.pump)
	}
	if t.cell != nil {
		s.record.SetAddress(t.cell.address)
		return nil
	}
	address, err := t.image.engine.api.address(ctx, s.id)
	s.record.SetAddress(address)
	return err
}

func (s *session) now() facts.Millis { return facts.ToMillis(time.Since(s.base)) }

// watch follows the run to its end.
func (s *session) watch(ctx context.Context) (facts.Run, error) {
	for {
		stop, next := s.record.Decide(s.now())
		if !s.record.Executed() {
			stop, next = "", facts.ToMillis(execPatience)
			if s.now() >= next {
				return facts.Run{}, &Error{Kind: KindProbe,
					Text: fmt.Sprintf("the probe inside the container did not report within %s", execPatience)}
			}
		}
		if stop != "" {
			return s.stopped(ctx, stop)
		}
		timer := time.NewTimer(next.Duration() - s.now().Duration())
		select {
		case c := <-s.output:
			s.take(c)
		case m := <-s.news:
			s.incident(m)
		case err := <-s.beside.told():
			s.joined(err)
		case end := <-s.end.end:
			timer.Stop()
			return s.ended(ctx, int(end.StatusCode))
		case err := <-s.end.fault:
			timer.Stop()
			return s.lost(ctx, err)
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return s.record.Finish(facts.StopInterrupted, s.now(), nil), context.Cause(ctx)
		}
		timer.Stop()
	}
}

// take records a piece of output. The end of a sidecar's is the observer's;
// that of the program comes from the engine.
func (s *session) take(c chunk) {
	switch {
	case len(c.data) > 0:
	case c.stream == streamFrames:
		s.record.Event(facts.Event{T: s.now(), Kind: facts.EventLost})
		return
	default:
		s.silent = c.at
		return
	}
	log, events := s.split(c)
	for _, e := range events {
		s.killed = s.killed || e.Kind == facts.EventOOM
		s.record.Event(s.place(e, c.at))
	}
	s.record.Write(max(0, facts.ToMillis(c.at.Sub(s.base))), c.stream, log)
}

// ended finishes a run whose container ended by itself.
func (s *session) ended(ctx context.Context, code int) (facts.Run, error) {
	at := time.Now()
	s.drain(ctx)
	if !s.silent.IsZero() && s.silent.Before(at) {
		at = s.silent
	}
	s.unjoined(true)
	if code > 128 {
		s.listen(ctx)
	}
	if s.ordered {
		return s.record.Finish(facts.StopLost, s.now(), nil), errOrdered
	}
	if !s.record.Executed() {
		ended := s.record.Finish(facts.StopLost, 0, nil)
		return facts.Run{}, &Error{Kind: KindProbe, Text: fmt.Sprintf(
			"the probe inside the container ended with %d before the program began: %q", code, lastWords(ended.Log))}
	}
	state, err := s.target.image.engine.api.inspect(ctx, s.id)
	if err != nil {
		return facts.Run{}, err
	}
	s.limits(state)
	if state.State != nil && state.State.OOMKilled && !s.killed {
		s.memory() // the event is lost when the container ends with it
	}
	s.record.Exit()
	took := max(0, facts.ToMillis(at.Sub(s.base)))
	stop, _ := s.record.Decide(took)
	if spec := s.target.spec; stop == facts.StopAnswered && len(spec.Also) == 0 {
		stop = facts.StopExited // it answered, and was gone before anybody could use it
	}
	exit := exitFacts(took, code, s.killed)
	exit.Unsaid = code == 137 && !s.killed && s.target.image.engine.podman
	return s.record.Finish(stop, took, exit), nil
}

func lastWords(log facts.Log) string {
	for _, line := range log.Tail(1) {
		return line.Text
	}
	return ""
}

// drain takes what is still on its way.
func (s *session) drain(ctx context.Context) {
	timer := time.NewTimer(drainPatience)
	defer timer.Stop()
	for s.silent.IsZero() {
		select {
		case c := <-s.output:
			s.take(c)
		case m := <-s.news:
			s.incident(m)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
	s.record.Write(s.now(), "stdout", s.decoder.Flush())
}

// stopped finishes a run that goes on, after making sure that it does: an
// engine that went away would look like a program that does nothing.
func (s *session) stopped(ctx context.Context, stop facts.Stop) (facts.Run, error) {
	took := s.now()
	state, err := s.target.image.engine.api.inspect(ctx, s.id)
	if err != nil {
		return s.record.Finish(facts.StopLost, took, nil), err
	}
	if state.State != nil && !state.State.Running {
		return s.ended(ctx, s.code(ctx, state.State))
	}
	s.unjoined(false)
	s.limits(state)
	seen := s.record.Finish(stop, took, nil)
	return s.afterwards(ctx, seen)
}

// code is the exit code that the engine promised to tell, or its record of it.
func (s *session) code(ctx context.Context, state *container.State) int {
	timer := time.NewTimer(drainPatience)
	defer timer.Stop()
	select {
	case end := <-s.end.end:
		return int(end.StatusCode)
	case <-timer.C:
	case <-ctx.Done():
	}
	return state.ExitCode
}

// lost ends a run whose engine does not tell any more.
func (s *session) lost(ctx context.Context, err error) (facts.Run, error) {
	if ctx.Err() != nil {
		return s.record.Finish(facts.StopInterrupted, s.now(), nil), context.Cause(ctx)
	}
	host := s.target.image.engine.api.host
	return s.record.Finish(facts.StopLost, s.now(), nil), &Error{Kind: KindLost, Host: host, Op: "wait", Err: err,
		Text: fmt.Sprintf("lost the engine at %s while the image ran: %v", host, err)}
}
