package probe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/imglint/imglint/pkg/facts"
)

func TestFrameFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x01é", 5000)
	argv := make([]string, 100)
	for i := range argv {
		argv[i] = long
	}
	events := map[string]facts.Event{
		"exec":    {Kind: facts.EventExecError, Argv: argv, Path: long, Errno: "ENOENT"},
		"process": {Kind: facts.EventProcess, Process: &facts.Process{PID: 1, Argv: argv, Exe: long, FD0: long}},
		"socket":  {Kind: facts.EventListening, Socket: &facts.Socket{Network: "unix", Path: long, Argv: argv}},
		"answer": {Kind: facts.EventAnswer, Answer: &facts.Answer{
			Class: facts.ClassHTTP, Location: long, Server: long, First: long, Error: long,
		}},
	}
	for name, event := range events {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frame := Frame(strings.Repeat("n", 32), event)
			if len(frame) == 0 || len(frame) > MaxFrame {
				t.Fatalf("%d bytes, want 1 to %d", len(frame), MaxFrame)
			}
			_, got := NewDecoder(strings.Repeat("n", 32)).Feed(frame)
			if len(got) != 1 || got[0].Kind != event.Kind {
				t.Fatalf("decoded %v", got)
			}
		})
	}
}

func TestFrameKeepsWhatFits(t *testing.T) {
	t.Parallel()
	want := []string{"sh", "-c", strings.Repeat("x", 256)}
	_, events := NewDecoder(nonce).Feed(Frame(nonce, facts.Event{Kind: facts.EventExec, Argv: want}))
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	if diff := cmp.Diff(want, events[0].Argv); diff != "" {
		t.Errorf("argv (-want +got):\n%s", diff)
	}
}
