package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(&out, func() int { return 80 }, Style{})
	p.Doing("waiting for an answer on port 8000")
	var socket facts.Socket
	for _, e := range []facts.Event{{Kind: facts.EventListening, Socket: &socket}, {Kind: facts.EventListening, Socket: &socket}} {
		p.Event(e)
	}
	p.Log(facts.LogLine{Text: "\x1b[31mbooting"})
	p.Log(facts.LogLine{Text: "  "})
	address := socket.Address()
	for limit, want := range map[int]string{
		200: "waiting for an answer on port 8000 · listening " + address + ` · \x1b[31mbooting`,
		59:  "listening " + address + ` · \x1b[31mbooting`,
		20:  "",
	} {
		got := p.text(limit)
		if len([]rune(got)) > limit || !strings.Contains(got, want) {
			t.Errorf("%d columns: %q, want %q in it", limit, got, want)
		}
	}
	p.Event(facts.Event{Kind: facts.EventClosed, Socket: &socket})
	if got := p.text(200); strings.Contains(got, "listening") {
		t.Errorf("what is closed is still shown: %q", got)
	}
	p.Close()
	if strings.Contains(out.String(), "\n") {
		t.Errorf("the live line became several: %q", out.String())
	}
}
