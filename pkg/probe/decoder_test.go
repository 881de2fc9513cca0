package probe

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/imglint/imglint/pkg/facts"
)

const nonce = "n0nce"

func execEvent(t facts.Millis) facts.Event {
	return facts.Event{T: t, Kind: facts.EventExec, PID: 1, Argv: []string{"nginx"}}
}

func TestDecoder(t *testing.T) {
	t.Parallel()
	one := string(Frame(nonce, execEvent(1)))
	tests := map[string]struct {
		input  string
		log    string
		events []facts.Event
	}{
		"nothing":         {},
		"only a log":      {input: "hello\nworld", log: "hello\nworld"},
		"only a frame":    {input: one, events: []facts.Event{execEvent(1)}},
		"inside a line":   {input: "hel" + one + "lo\n", log: "hello\n", events: []facts.Event{execEvent(1)}},
		"two in a row":    {input: one + string(Frame(nonce, execEvent(2))), events: []facts.Event{execEvent(1), execEvent(2)}},
		"terminal":        {input: strings.Replace(one, "\n", "\r\n", 1), events: []facts.Event{execEvent(1)}},
		"bare mark":       {input: "a\x1eb\x1e", log: "a\x1eb\x1e"},
		"another nonce":   {input: string(Frame("other", execEvent(1))), log: string(Frame("other", execEvent(1)))},
		"not JSON":        {input: "\x1e" + nonce + "{\n", log: "\x1e" + nonce + "{\n"},
		"no kind":         {input: "\x1e" + nonce + "{}\n", log: "\x1e" + nonce + "{}\n"},
		"no socket":       {input: "\x1e" + nonce + `{"kind":"listening"}` + "\n", log: "\x1e" + nonce + `{"kind":"listening"}` + "\n"},
		"broken off":      {input: "a" + one[:20], log: "a" + one[:20]},
		"after a bad one": {input: "\x1e" + nonce + one, log: "\x1e" + nonce, events: []facts.Event{execEvent(1)}},
		"too long": {
			input: "\x1e" + nonce + strings.Repeat("x", MaxFrame) + one,
			log:   "\x1e" + nonce + strings.Repeat("x", MaxFrame), events: []facts.Event{execEvent(1)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for size := 1; size <= len(tt.input)+1; size += 1 + size/3 {
				log, events := decode(tt.input, size)
				if diff := cmp.Diff(tt.log, log); diff != "" {
					t.Errorf("log, %d bytes at a time (-want +got):\n%s", size, diff)
				}
				if diff := cmp.Diff(tt.events, events, cmpopts.EquateComparable()); diff != "" {
					t.Errorf("events, %d bytes at a time (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func decode(input string, size int) (string, []facts.Event) {
	d := NewDecoder(nonce)
	var log []byte
	var all []facts.Event
	for rest := []byte(input); len(rest) > 0; {
		n := min(size, len(rest))
		chunk, events := d.Feed(bytes.Clone(rest[:n]))
		log, all, rest = append(log, chunk...), append(all, events...), rest[n:]
	}
	return string(append(log, d.Flush()...)), all
}

func TestDecoderWithoutNonce(t *testing.T) {
	t.Parallel()
	frame := Frame("", execEvent(1))
	log, events := NewDecoder("").Feed(frame)
	if !bytes.Equal(log, frame) || events != nil {
		t.Errorf("an empty nonce matched: log %q, events %v", log, events)
	}
}

// Whatever the chunks, the decoder says the same, keeps little back and loses
// no byte.
func FuzzDecoder(f *testing.F) {
	one := string(Frame(nonce, execEvent(1)))
	for _, seed := range []string{"", "log\n", one, "a" + one + "b", one[:10], "\x1e\x1e" + one, "\x1e" + nonce + "{\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, size int) {
		if size < 1 || size > len(input)+1 {
			size = 1
		}
		wantLog, wantEvents := decode(string(input), len(input)+1)
		log, events := decode(string(input), size)
		if diff := cmp.Diff(wantLog, log); diff != "" {
			t.Errorf("log depends on the chunks:\n%s", diff)
		}
		if len(wantEvents) != len(events) {
			t.Errorf("events depend on the chunks: %d and %d", len(wantEvents), len(events))
		}
		if len(events) == 0 && log != string(input) {
			t.Errorf("no event, yet the log is not the input: %q", log)
		}
		d := NewDecoder(nonce)
		d.Feed(input)
		if len(d.held) > MaxFrame {
			t.Errorf("%d bytes held back", len(d.held))
		}
	})
}
