package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

// TestNamed finds the variable that holds an address.
func TestNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ env, host, port, want string }{
		{"DATABASE_URL=postgres://shop:pw@db.internal/shop", "db.internal", "5432", ", the address in DATABASE_URL"},
		{"DATABASE_URL=postgres://shop:pw@db.internal/shop", "db", "5432", ""},
		{"DATABASE_HOST=127.0.0.1", "127.0.0.1", "5432", ", the address in DATABASE_HOST"},
		{"DATABASE_HOST=127.0.0.12", "127.0.0.1", "5432", ""},
		{"DATABASE_URL=postgres://shop:pw@db/shop", "10.0.0.9", "5432", ", the port in DATABASE_URL"},
		{"DATABASE_URL=jdbc:postgresql://db:5433/shop", "10.0.0.9", "5433", ", the port in DATABASE_URL"},
		{"DATABASE_PORT=5432", "10.0.0.9", "5432", ", the port in DATABASE_PORT"},
		{"DATABASE_PORT=54321", "10.0.0.9", "5432", ""},
		{"CACHE=redis:6379", "10.0.0.9", "6379", ", the port in CACHE"},
		{"A=redis://a B=redis://b", "10.0.0.9", "6379", ""}, // which of them?
		{"DATABASE_URL=postgres://shop:pw@db/shop", "other", "5432", ""},
	}
	for _, tt := range tests {
		f := &facts.Facts{}
		f.Launch.Command.Env = strings.Fields(tt.env)
		if got := named(&rule.Pass{Facts: f}, tt.host, tt.port); got != tt.want {
			t.Errorf("%s %s of %q: %q, want %q", tt.host, tt.port, tt.env, got, tt.want)
		}
	}
}

// TestWaitedFor: a connection that nobody answers is the cause only where the
// program cannot do anything else meanwhile.
func TestWaitedFor(t *testing.T) {
	t.Parallel()
	db := facts.Event{T: 2000, Kind: facts.EventConnecting, Socket: &facts.Socket{
		Network: "tcp", Addr: netip.MustParseAddr("10.0.0.9"), Port: 5432, PID: 1, Argv: []string{"shopd"},
	}}
	socket := &facts.Socket{Network: "tcp", Addr: netip.MustParseAddr("0.0.0.0"), Port: 8000, Inode: 7}
	listens := facts.Event{T: 10, Kind: facts.EventListening, Socket: socket}
	waiting := *socket
	waiting.Queue = 1
	queue := facts.Event{T: 1500, Kind: facts.EventQueue, Socket: &waiting}
	answer := facts.Event{T: 3000, Kind: facts.EventAnswer, Answer: &facts.Answer{
		To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassHTTP, Status: 503,
	}}
	tests := map[string]struct {
		events []facts.Event
		exit   *facts.Exit
		want   bool
	}{
		"hangs, and does not listen":         {[]facts.Event{db}, nil, true},
		"gave up":                            {[]facts.Event{db}, &facts.Exit{Code: 1}, true},
		"ended well":                         {[]facts.Event{db}, &facts.Exit{}, false},
		"listens, and accepts nobody":        {[]facts.Event{listens, queue, db}, nil, true},
		"listens, and is silent":             {[]facts.Event{listens, db}, nil, false},
		"listens, and answers something":     {[]facts.Event{listens, queue, db, answer}, nil, false},
		"waits for nobody, and never serves": {[]facts.Event{listens, queue}, nil, false},
	}
	for name, tt := range tests {
		f := &facts.Facts{Run: &facts.Run{Events: tt.events, Exit: tt.exit, Stopped: facts.StopWindow}}
		f.Target.Endpoint.Port = 8000
		found := rule.Check(UnreachableDependency, f)
		if (len(found) > 0) != tt.want {
			t.Errorf("%s: %+v, want one: %v", name, found, tt.want)
		}
		if len(found) > 0 && !strings.Contains(found[0].Message, "10.0.0.9:5432") {
			t.Errorf("%s: %s", name, found[0].Message)
		}
	}
}
