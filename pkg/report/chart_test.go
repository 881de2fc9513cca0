package report

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestChart(t *testing.T) {
	t.Parallel()
	socket := &facts.Socket{Network: "tcp", Addr: netip.MustParseAddr("0.0.0.0"), Port: 8000}
	answer := &facts.Answer{To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassHTTP, Status: 200}
	refused := &facts.Answer{To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassRefused}
	listens := facts.Event{T: 500, Kind: facts.EventListening, Socket: socket}
	tests := []struct {
		name string
		run  facts.Run
		want string
	}{
		{"nothing", facts.Run{Took: 3000}, "0s [········································] 3.0s"},
		{"boots and ends", facts.Run{
			Took: 2000, Exit: &facts.Exit{T: 2000, Code: 1},
			Events: []facts.Event{listens, {T: 600, Kind: facts.EventAnswer, Answer: refused}, {T: 1000, Kind: facts.EventAnswer, Answer: answer}, {T: 1800, Kind: facts.EventClosed, Socket: socket}},
			Log:    facts.Log{Lines: []facts.LogLine{{T: 100, Text: "boot"}}},
		}, "0s [··········L·?·······A···············C··X] 2.0s"},
		{"no time", facts.Run{Events: []facts.Event{listens}}, "0s [L·······································] 0.0s"},
	}
	for _, test := range tests {
		if got := chart(&test.run); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}

// TestBoot: of the log the first line is a mark, the last one before something
// answered, and the last one.
func TestBoot(t *testing.T) {
	t.Parallel()
	run := facts.Run{
		Took: 5000,
		Events: []facts.Event{{Kind: facts.EventExec, Argv: []string{"app"}}, {T: 3000, Kind: facts.EventAnswer, Answer: &facts.Answer{
			To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassHTTP, Status: 200}}},
		Log: facts.Log{Lines: []facts.LogLine{{T: 100, Text: "hello"}, {T: 200, Text: " "}, {T: 500, Text: "loading"}, {T: 2900, Text: "ready"}, {T: 3000, Text: ""}, {T: 3100, Text: "GET /"}, {T: 4000, Text: strings.Repeat("é", 200)}}},
	}
	var got []string
	for _, m := range boot(&run) {
		got = append(got, fmt.Sprintf("%.1f %s %s", m.At, m.What, m.Text))
	}
	want := []string{"0.0 exec app", "0.1 log hello", "2.9 log ready", "3.0 answer 198.18.0.2:8000 answered 200", "4.0 log " + strings.Repeat("é", 100) + "…"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFolded: a command that a script starts again and again is told once.
func TestFolded(t *testing.T) {
	t.Parallel()
	marks := []Mark{
		{What: "exec", Text: "sh /start.sh"}, {What: "process", Text: "pid 1 sh /start.sh"},
		{At: 0.1, What: "process", Text: "pid 16 sleep 1"}, {At: 1.1, What: "process", Text: "pid 18 sleep 1"},
		{At: 1.2, What: "process", Text: "pid 19 worker"}, {At: 2.1, What: "process", Text: "pid 20 sleep 1"},
		{At: 2.2, What: "process", Text: "pid 21 worker"}, {At: 3.1, What: "process", Text: "pid 22 sleep 1"},
	}
	var got []string
	for _, m := range folded(marks) {
		got = append(got, m.Text)
	}
	want := []string{"sh /start.sh", "pid 1 sh /start.sh", "pid 16 sleep 1, and 3 times more until 3.1s", "pid 19 worker", "pid 21 worker"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
}
