package report

import (
	"net/netip"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func TestChart(t *testing.T) {
	t.Parallel()
	socket := &facts.Socket{Network: "tcp", Addr: netip.MustParseAddr("0.0.0.0"), Port: 8000}
	answer := &facts.Answer{To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassHTTP, Status: 200}
	listens := facts.Event{T: 500, Kind: facts.EventListening, Socket: socket}
	tests := []struct {
		name string
		run  facts.Run
		want string
	}{
		{"nothing", facts.Run{Took: 3000}, "0s [········································] 3.0s  "},
		{"boots and ends", facts.Run{
			Took: 2000, Exit: &facts.Exit{T: 2000, Code: 1},
			Events: []facts.Event{listens, {T: 1000, Kind: facts.EventAnswer, Answer: answer}, {T: 1100, Kind: facts.EventAnswer, Answer: answer}},
		}, "0s [··········L·········A··················X] 2.0s  L 0.5s 0.0.0.0:8000, A 1.0s 198.18.0.2:8000 answered 200, X 2.0s exited with code 1"},
		{"no time", facts.Run{Events: []facts.Event{listens}}, "0s [L·······································] 0.0s  L 0.5s 0.0.0.0:8000"},
		{"many", facts.Run{Took: 1000, Events: []facts.Event{listens, listens, listens, listens, listens, listens, listens, listens}},
			"0s [····················L···················] 1.0s  L 0.5s 0.0.0.0:8000, L 0.5s 0.0.0.0:8000, L 0.5s 0.0.0.0:8000, L 0.5s 0.0.0.0:8000, L 0.5s 0.0.0.0:8000, L 0.5s 0.0.0.0:8000, and 2 more"},
	}
	for _, test := range tests {
		if got := chart(&test.run); got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}
