package run

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

// words are signs that a test can write.
type words struct{}

func (words) Line(text string) Sign {
	switch {
	case strings.HasPrefix(text, "waiting"):
		return SignWaits
	case strings.HasPrefix(text, "killed"):
		return SignKilled
	}
	return SignNone
}

func (words) Command(argv []string) Sign { return words{}.Line(argv[0]) }

func signs(s *Spec) { s.Signs = words{} }

func command(t facts.Millis, pid int, argv ...string) facts.Event {
	return facts.Event{T: t, Kind: facts.EventProcess, Process: &facts.Process{PID: pid, SID: 1, Argv: argv}}
}

// said is a line of the log at a time.
type said struct {
	t    facts.Millis
	text string
}

func TestStuck(t *testing.T) {
	t.Parallel()
	loop := func(from, to facts.Millis, what string) (lines []said) {
		for at := from; at <= to; at += 1000 {
			lines = append(lines, said{at, fmt.Sprintf(what, at/1000)})
		}
		return lines
	}
	tests := []struct {
		name   string
		spec   Spec
		events []facts.Event
		lines  []said
		stop   facts.Stop
		at     facts.Millis
	}{
		{"waits with a counter for ever", spec(signs), nil, loop(1000, 200_000, "waiting for db, try %d"), facts.StopWaits, 91_000},
		{"a command waits, another sleeps", spec(signs), []facts.Event{
			command(0, 1, "sh"), command(10, 7, "waiting", "db"), command(20, 8, "sleep", "1"), command(1020, 9, "sleep", "1"),
		}, nil, facts.StopWaits, 90_010},
		{"a command waits, and then another program starts", spec(signs), []facts.Event{
			command(0, 1, "sh"), command(10, 7, "waiting", "db"), command(20, 8, "sleep", "1"), command(1020, 1, "app"), command(2000, 9, "sleep", "1"),
		}, nil, facts.StopWindow, 270_000},
		{"nobody reads the signs", spec(), nil, loop(1000, 200_000, "waiting for db, try %d"), facts.StopWindow, 270_000},
		{"no sign of waiting", spec(signs), nil, loop(1000, 100_000, "loading part %d"), facts.StopWindow, 270_000},
		{"waits, then goes on", spec(signs), nil, append(loop(1000, 30_000, "waiting for db, try %d"), said{31_000, "giving up, starting"}), facts.StopWindow, 270_000},
		{"waits, then works", spec(signs), []facts.Event{beat(40_000, 700), beat(129_000, 0)}, []said{{1000, "waiting for db"}, {41_000, "waiting for db"}}, facts.StopWaits, 131_000},
		{"waits and listens", spec(signs), []facts.Event{listening(400, anyAddr, 3000)}, []said{{1000, "waiting for db"}}, facts.StopQuiet, 16_000},
		{"a listener came and went", spec(signs), []facts.Event{listening(400, anyAddr, 3000), closed(20_000, anyAddr, 3000)}, []said{{1000, "waiting for db"}, {21_000, "waiting for db"}}, facts.StopWaits, 111_000},
		{"kills three workers in a row", spec(signs), []facts.Event{listening(400, anyAddr, 8000)},
			[]said{{31_000, "killed 7"}, {31_100, "killed 8"}, {62_000, "killed 9"}, {62_100, "killed 10"}, {93_000, "killed 11"}}, facts.StopKills, 93_300},
		{"kills two, one after the other", spec(signs), []facts.Event{listening(400, anyAddr, 8000)},
			[]said{{31_000, "killed 7"}, {62_000, "killed 9"}}, facts.StopWindow, 270_000},
		{"kills four at once", spec(signs), []facts.Event{listening(400, anyAddr, 8000)},
			[]said{{31_000, "killed 7"}, {31_000, "killed 8"}, {31_100, "killed 9"}, {31_200, "killed 10"}}, facts.StopWindow, 270_000},
		{"kills workers after one has answered", spec(signs, accept(200)), []facts.Event{
			listening(400, anyAddr, 8000), answer(500, outside, 8000, facts.ClassHTTP, 503)},
			[]said{{31_000, "killed 7"}, {62_000, "killed 9"}, {93_000, "killed 11"}}, facts.StopWindow, 270_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := NewDecider(tt.spec)
			lines := tt.lines
			say := func(until facts.Millis) {
				for len(lines) > 0 && lines[0].t <= until {
					d.Log(lines[0].t, lines[0].text)
					lines = lines[1:]
				}
			}
			for _, e := range tt.events {
				say(e.T)
				d.Event(e)
			}
			say(never)
			if stop, next := d.Decide(tt.at - 1); stop != "" || next != tt.at {
				t.Errorf("before: got %q, ask again at %d, want to be asked at %d", stop, next, tt.at)
			}
			if stop, _ := d.Decide(tt.at); stop != tt.stop {
				t.Errorf("at %d: got %q, want %q", tt.at, stop, tt.stop)
			}
		})
	}
}
