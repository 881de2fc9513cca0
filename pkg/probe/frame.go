package probe

import (
	"encoding/json"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// limits bound the words of an event; fit tries them in turn.
type limits struct{ words, bytes int }

var shrinking = []limits{{32, 256}, {32, 128}, {32, 64}, {16, 48}, {8, 32}, {2, 16}}

// Frame returns the event as one frame, shortened until it fits MaxFrame. It
// returns nil for an event that cannot be made to fit.
func Frame(nonce string, e facts.Event) []byte {
	for _, l := range shrinking {
		body, err := json.Marshal(l.event(e))
		if err != nil {
			return nil
		}
		if 1+len(nonce)+len(body)+1 <= MaxFrame {
			frame := append(make([]byte, 0, MaxFrame), FrameMark)
			return append(append(append(frame, nonce...), body...), '\n')
		}
	}
	return nil
}

// event returns a copy of e within the limits; e is left as it is.
func (l limits) event(e facts.Event) facts.Event {
	e.Argv = l.argv(e.Argv)
	e.Path = l.text(e.Path)
	if e.Process != nil {
		p := *e.Process
		p.Argv, p.Exe, p.FD0 = l.argv(p.Argv), l.text(p.Exe), l.text(p.FD0)
		e.Process = &p
	}
	if e.Socket != nil {
		s := *e.Socket
		s.Argv, s.Path = l.argv(s.Argv), l.text(s.Path)
		e.Socket = &s
	}
	if e.Answer != nil {
		a := *e.Answer
		a.Location, a.Server = l.text(a.Location), l.text(a.Server)
		a.First, a.Error = l.text(a.First), l.text(a.Error)
		e.Answer = &a
	}
	return e
}

func (l limits) argv(argv []string) []string {
	if argv == nil {
		return nil
	}
	short := make([]string, min(len(argv), l.words))
	for i := range short {
		short[i] = l.text(argv[i])
	}
	return short
}

// text cuts s without splitting a character.
func (l limits) text(s string) string {
	if len(s) <= l.bytes {
		return s
	}
	return strings.ToValidUTF8(s[:l.bytes], "")
}
