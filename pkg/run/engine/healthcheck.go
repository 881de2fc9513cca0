package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// healthcheck runs the image's HEALTHCHECK as Docker would: in the container,
// as its user, with its environment and directory. The last try counts. It is
// nil when there is nothing to tell; what kept it is noted in the run.
func (s *session) healthcheck(ctx context.Context, config facts.Config, argv []string, seen *facts.Run) *facts.CheckResult {
	timeout := cmp.Or(config.Healthcheck.Timeout.Duration(), run.CheckTimeout)
	ctx, cancel := context.WithTimeout(ctx, run.CheckPatience)
	defer cancel()
	var result *facts.CheckResult
	var err error
	done := make(chan struct{})
	begun := s.now()
	go func() {
		defer close(done)
		result, err = s.target.image.engine.api.check(ctx, s.id, argv, timeout)
	}()
	if s.idle(ctx, done) {
		cancel() // the container has ended: nobody answers
	}
	<-done
	if err != nil {
		seen.Blind = append(seen.Blind, fmt.Sprintf("the image's HEALTHCHECK could not be tried: %v", err))
		return nil
	}
	result.T, result.Argv = begun, argv
	return result
}

// check tries until one try succeeds.
func (a *api) check(ctx context.Context, id string, argv []string, timeout time.Duration) (result *facts.CheckResult, err error) {
	pause := time.NewTicker(run.CheckPause)
	defer pause.Stop()
	for try := 1; ; try++ {
		next, err := a.checkOnce(ctx, id, argv, timeout)
		if err != nil && result != nil {
			return result, nil // of the try before
		}
		if result = next; err != nil || run.Settled(result, try) {
			return result, err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return result, nil
		}
	}
}

func (a *api) checkOnce(ctx context.Context, id string, argv []string, timeout time.Duration) (*facts.CheckResult, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun := time.Now()
	execID, conn, err := a.exec(limited, id, argv)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(limited, conn.Close)
	defer stop()
	output := &tail{room: run.CheckOutput}
	_ = demultiplex(conn, output, output) // an early end shows by its status
	result := &facts.CheckResult{Output: output.String(), Took: facts.ToMillis(time.Since(begun))}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("it did not end within %s", run.CheckPatience)
	}
	if limited.Err() != nil {
		result.Code, result.TimedOut = -1, true
		return result, nil
	}
	state, err := a.execState(ctx, execID)
	if err != nil {
		return nil, err
	}
	if state.Running {
		return nil, fmt.Errorf("its output ended and it did not")
	}
	result.Code = state.ExitCode
	return result, nil
}

// tail takes everything and keeps the last bytes.
type tail struct {
	kept []byte
	room int
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-t.room):]...)
	t.kept = slices.Delete(t.kept, 0, max(0, len(t.kept)-t.room))
	return len(p), nil
}

// String returns what was kept as text.
func (t *tail) String() string {
	return strings.TrimSpace(strings.ToValidUTF8(string(t.kept), "\uFFFD"))
}
