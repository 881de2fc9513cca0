package engine

import (
	"io"
	"sync"
	"time"
)

// serial lets one holder at a time start or remove a container that owns a
// network, in this process and, where the system can tell, in all processes
// of the machine: Docker 20.10 deadlocks when several do at once (moby#42545).
type serial struct {
	mu   sync.Mutex
	name string
	held io.Closer
}

// serialPatience bounds the wait for other processes: one that was stopped in
// the middle must not stop everybody.
const serialPatience = 30 * time.Second

// Lock waits for the turn.
func (s *serial) Lock() {
	s.mu.Lock()
	deadline := time.NewTimer(serialPatience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		held, taken := claim(s.name)
		if !taken {
			s.held = held
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return
		}
	}
}

// Unlock gives the turn to the next.
func (s *serial) Unlock() {
	if s.held != nil {
		s.held.Close()
		s.held = nil
	}
	s.mu.Unlock()
}
