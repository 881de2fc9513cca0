package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/docker/api/types/events"

	"github.com/imglint/imglint/pkg/facts"
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
