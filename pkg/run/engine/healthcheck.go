package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// checkPatience bounds all tries of an image's HEALTHCHECK, whose own
	// timeout may be longer.
	checkPatience = 10 * time.Second
	// dockerTimeout is what Docker gives one try of a HEALTHCHECK without --timeout.
	dockerTimeout = 30 * time.Second
	// checkTries and checkPause: a container is unhealthy after three failures
	// in a row, by default.
	checkTries = 3
	checkPause = 500 * time.Millisecond
	// checkOutput is kept of what a try prints.
	checkOutput = 2048
)

// healthcheck runs the image's HEALTHCHECK as Docker would: in the container,
// as its user, with its environment and directory. The last try counts. It is
// nil when there is nothing to tell; what kept it is noted in the run.
func (s *session) healthcheck(ctx context.Context, config facts.Config, argv []string, seen *facts.Run) *facts.CheckResult {
	timeout := cmp.Or(config.Healthcheck.Timeout.Duration(), dockerTimeout)
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
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
	pause := time.NewTicker(checkPause)
	defer pause.Stop()
	for try := 1; ; try++ {
		next, err := a.checkOnce(ctx, id, argv, timeout)
		if err != nil && result != nil {
			return result, nil // of the try before
		}
		if result = next; err != nil || result.Code == 0 || result.TimedOut || absent(result.Code) || try == checkTries {
			return result, err
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return result, nil
		}
	}
}

// absent reports whether the status says that the program was not found or
// could not be executed, which another try does not change.
func absent(code int) bool { return code == 126 || code == 127 }

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
	output := &tail{room: checkOutput}
	_ = demultiplex(conn, output, output) // an early end shows by its status
	result := &facts.CheckResult{Output: output.String(), Took: facts.ToMillis(time.Since(begun))}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("it did not end within %s", checkPatience)
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
