package engine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
)

// streamFrames is the output of a sidecar, which is frames only.
const streamFrames = "frames"

// sidecar is a container of the probe that joins a target's network namespace
// and, where that is allowed, its processes.
type sidecar struct {
	target *target
	joins  string // the target's container
	alone  error  // why it does not see the target's processes; nil: it does

	id      string
	conn    types.HijackedResponse
	started chan error // told once
	joining sync.WaitGroup

	begun  time.Time // when the target was started
	seeing bool      // the first frame has come
	offset facts.Millis
}

// newSidecar makes a sidecar, ready to start once its target runs.
func (t *target) newSidecar(ctx context.Context, id string) (*sidecar, error) {
	s := &sidecar{target: t, joins: id, started: make(chan error, 1)}
	err := s.create(ctx, true)
	if isKind(err, KindRefused) {
		s.alone = err
		err = s.create(ctx, false)
	}
	if err != nil {
		s.close(ctx)
		return nil, fmt.Errorf("make sidecar: %w", err)
	}
	return s, nil
}

// create makes its container.
func (s *sidecar) create(ctx context.Context, processes bool) error {
	e := s.target.image.engine
	image, err := e.sidecarImage(ctx)
	if err != nil {
		return err
	}
	argv, err := s.argv()
	if err != nil {
		return err
	}
	config := &container.Config{
		Image: image, Cmd: argv, AttachStdout: true, AttachStderr: true,
		Labels: e.owner.labels(roleProbe, s.target.spec.LongestWindow()+afterWindow),
	}
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode("container:" + s.joins),
		CapDrop:        []string{"ALL"},
		ReadonlyRootfs: true,
		LogConfig:      container.LogConfig{Type: "none"},
	}
	if processes {
		host.PidMode = container.PidMode("container:" + s.joins)
		// To tell whose sockets there are, and to look what root's processes do.
		host.CapAdd = []string{"SYS_PTRACE", "DAC_READ_SEARCH"}
	}
	s.id, err = e.api.create(ctx, config, host)
	return err
}

// join attaches and starts. The target has to run for that: Podman joins its
// namespaces when the sidecar is attached to.
func (s *sidecar) join(ctx context.Context) (err error) {
	api := s.target.image.engine.api
	if s.conn, err = api.attach(ctx, s.id, false); err != nil {
		return err
	}
	return api.start(ctx, s.id)
}

// argv is what follows the image's ENTRYPOINT.
func (s *sidecar) argv() ([]string, error) {
	requests := s.target.spec.Requests()
	config, err := json.Marshal(probe.Config{
		Nonce: s.target.nonce, Endpoint: requests[0].Endpoint, Probe: requests[0].Probe, Further: requests[1:],
	})
	if err != nil {
		return nil, fmt.Errorf("encode probe configuration: %w", err)
	}
	return []string{probe.RoleBeside, base64.StdEncoding.EncodeToString(config)}, nil
}

// start joins the target, which has just been started, in the background: the
// target's output is read meanwhile.
func (s *sidecar) start(ctx context.Context, begun time.Time, read func(types.HijackedResponse, string)) {
	s.begun = begun
	s.joining.Go(func() {
		err := s.join(ctx)
		if isKind(err, KindRefused) && s.alone == nil {
			err = s.retry(ctx, err)
		}
		if err == nil {
			go read(s.conn, streamFrames)
		}
		s.started <- err
	})
}

// retry joins the network alone.
func (s *sidecar) retry(ctx context.Context, why error) error {
	old := s.id
	if s.conn.Conn != nil {
		s.conn.Close()
	}
	s.conn, s.alone = types.HijackedResponse{}, why
	err := s.create(ctx, false)
	s.target.image.discard(ctx, old, roleProbe, nil)
	if err != nil {
		return err
	}
	return s.join(ctx)
}

// close removes the sidecar.
func (s *sidecar) close(ctx context.Context) {
	s.joining.Wait()
	if s.conn.Conn != nil {
		s.conn.Close()
	}
	if s.id != "" {
		s.target.image.discard(ctx, s.id, roleProbe, nil)
	}
}

// placed moves an event to the target's time: a sidecar counts from its own
// first frame.
func (s *sidecar) placed(e facts.Event, at time.Time) facts.Event {
	if !s.seeing {
		s.seeing = true
		s.offset = max(0, facts.ToMillis(at.Sub(s.begun))-e.T)
	}
	e.T += s.offset
	if e.Answer != nil {
		a := *e.Answer
		a.Asked += s.offset
		e.Answer = &a
	}
	return e
}
