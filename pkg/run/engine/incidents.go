package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// incident takes what the engine tells of the container.
func (s *session) incident(m events.Message) {
	if m.Action == events.ActionOOM {
		s.memory()
		return
	}
	// Other signals, as the one that makes a server read its configuration
	// again, do not end it.
	ends := []string{"2", "3", "9", "15", "SIGINT", "SIGQUIT", "SIGKILL", "SIGTERM"}
	s.ordered = s.ordered || slices.Contains(ends, m.Actor.Attributes["signal"])
}

func (s *session) memory() {
	s.killed = true
	s.record.Event(facts.Event{T: s.now(), Kind: facts.EventOOM})
}

// limits says which limits that the user asked for the engine has left out, as
// a rootless Podman does where its user may not make cgroups.
func (s *session) limits(c container.InspectResponse) {
	if c.ContainerJSONBase == nil || c.HostConfig == nil {
		return
	}
	asked := s.target.spec.Limits
	if asked.Memory != run.DefaultLimits.Memory && c.HostConfig.Memory == 0 {
		s.record.Blind(fmt.Sprintf(blindLimit, "memory"))
	}
	if asked.CPUs > 0 && c.HostConfig.NanoCPUs == 0 {
		s.record.Blind(fmt.Sprintf(blindLimit, "CPU"))
	}
}

// newsPatience is how long the engine may take to tell why a container was
// killed: its answers come on other connections.
const newsPatience = 200 * time.Millisecond

var errOrdered = errors.New("somebody else ended the container while it was watched")

// listen waits for news of who killed the container.
func (s *session) listen(ctx context.Context) {
	timer := time.NewTimer(newsPatience)
	defer timer.Stop()
	for !s.ordered && !s.killed {
		select {
		case m := <-s.news:
			s.incident(m)
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
