package run

import (
	"hash/fnv"
	"path"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// waitPatience is for a program that waits for another service. What waits
	// for a time only (wait-for-it 15 s, docker-compose-wait, loops of thirty
	// tries and MongoDB's drivers 30 s, Kafka's clients 60 s) has gone on by then.
	waitPatience = 90 * time.Second
	// enoughKills is how many workers in a row have to be killed: what the
	// first one leaves in caches can help the second.
	enoughKills = 3
)

// Sign is what a line of the log, or a command, says about the program.
type Sign int

// The signs.
const (
	SignNone   Sign = iota
	SignWaits       // it waits for a service outside of the container
	SignKilled      // a server of a kind that does so while they boot killed a worker of its own
)

// Signs reads logs and commands.
type Signs interface {
	Line(text string) Sign
	Command(argv []string) Sign
}

// stuck tells a program that gets nowhere, whatever it writes, from one that
// is booting.
type stuck struct {
	signs Signs // nil: nothing tells
	seen  map[uint64]bool
	novel facts.Millis // when something last happened that had not happened before
	waits facts.Millis // the first sign of waiting since then; never: none
	went  bool         // a command was started after such a sign: what sleeps now is another's

	kills     int // workers in a row
	firstKill facts.Millis
	lastKill  facts.Millis
}

func newStuck(signs Signs) stuck {
	return stuck{signs: signs, seen: map[uint64]bool{}, waits: never}
}

// line takes a line of the log.
func (s *stuck) line(t facts.Millis, text string) {
	if s.signs == nil {
		return
	}
	isNew := s.isNew("log " + text)
	switch s.signs.Line(text) {
	case SignWaits:
		s.wait(t, isNew)
	case SignKilled:
		s.killed(t)
	default:
		s.moved(t, isNew)
	}
}

// command takes a command that was seen to run.
func (s *stuck) command(t facts.Millis, argv []string) {
	if s.signs == nil {
		return
	}
	isNew := s.isNew("run " + strings.Join(argv, "\x00"))
	sleeps := len(argv) > 0 && path.Base(argv[0]) == "sleep"
	switch {
	case s.signs.Command(argv) == SignWaits && !(sleeps && s.went):
		s.wait(t, isNew)
	case sleeps: // between two tries
	default:
		s.went = s.went || isNew && s.waits != never
		s.moved(t, isNew)
	}
}

// wait notes a sign of waiting.
func (s *stuck) wait(t facts.Millis, isNew bool) {
	if s.waits == never || isNew {
		s.waits = t
	}
}

// moved notes that something happened; if that is new, whatever was waited for
// before is behind, unless there is a sign of it again.
func (s *stuck) moved(t facts.Millis, isNew bool) {
	if isNew {
		s.novel, s.waits = max(s.novel, t), never
	}
}

// maxSeen bounds what is remembered; a program that does more different things
// is not stuck.
const maxSeen = 4096

// isNew reports whether something has not happened before. Numbers are left
// out: a loop counts its tries and writes the time.
func (s *stuck) isNew(what string) bool {
	h := fnv.New64a()
	last := byte(0)
	for i := range len(what) {
		c := what[i]
		if c >= '0' && c <= '9' {
			if c = '0'; last == '0' {
				continue
			}
		}
		_, _ = h.Write([]byte{c}) // it cannot fail
		last = c
	}
	sum := h.Sum64()
	known := s.seen[sum]
	if len(s.seen) < maxSeen {
		s.seen[sum] = true
	}
	return !known
}

// killed counts workers in a row: those that are killed together are one.
func (s *stuck) killed(t facts.Millis) {
	switch {
	case s.kills == 0:
		s.firstKill = t
	case t-s.lastKill < s.firstKill/2:
		return
	}
	s.kills++
	s.lastKill = t
}

// due returns when a program that does not listen counts as waiting for ever.
func (s *stuck) due() facts.Millis {
	if s.waits == never {
		return never
	}
	return max(s.waits, s.novel) + facts.ToMillis(waitPatience)
}

// kill returns when a server counts as killing every worker before it has booted.
func (s *stuck) kill(settle facts.Millis) facts.Millis {
	if s.kills < enoughKills {
		return never
	}
	return s.lastKill + settle
}
