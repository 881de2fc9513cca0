package conformance

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// TestJudge shows that every kind of claim can be wrong: a comparison that
// cannot fail would find nothing.
func TestJudge(t *testing.T) {
	t.Parallel()
	public := socket{Network: "tcp", Addr: netip.MustParseAddr("0.0.0.0"), Port: 80, Speaks: "http"}
	local := socket{Network: "tcp", Addr: netip.MustParseAddr("127.0.0.1"), Port: 80, Speaks: "http"}
	six := socket{Network: "tcp", Addr: netip.MustParseAddr("::"), Port: 80, V6Only: true}
	says := func(listens ...facts.Listen) facts.Prediction {
		return facts.Prediction{Server: "web", Daemonizes: facts.No, Complete: true, Listens: listens}
	}
	web := facts.Listen{Network: "tcp", Host: "0.0.0.0", Port: 80, Scope: facts.ScopeAny, Protocol: "http"}
	loopback := facts.Listen{Network: "tcp", Host: "127.0.0.1", Port: 80, Scope: facts.ScopeLoopback, Protocol: "http"}
	redis := facts.Listen{Network: "tcp", Host: "0.0.0.0", Port: 80, Scope: facts.ScopeAny, Protocol: "redis"}
	daemon := facts.Prediction{Server: "web", Daemonizes: facts.Yes}
	tests := []struct {
		name  string
		p     facts.Prediction
		seen  seen
		wrong string // the kinds of the wrong claims
		known bool
	}{
		{"right", says(web), seen{Sockets: []socket{public}}, "", true},
		{"with its IPv6 twin", says(web), seen{Sockets: []socket{public, six}}, "", true},
		{"only the IPv6 twin", says(web), seen{Sockets: []socket{six}}, "address", true},
		{"on loopback", says(web), seen{Sockets: []socket{local}}, "address loopback complete", true},
		{"not on loopback", says(loopback), seen{Sockets: []socket{public}}, "address loopback complete", true},
		{"nothing", says(web), seen{}, "address", true},
		{"one more", says(), seen{Sockets: []socket{public}}, "complete", true},
		{"speaks something else", says(redis), seen{Sockets: []socket{public}}, "protocol", true},
		{"ended", says(), seen{Exited: true}, "stays", true},
		{"in the background", says(), seen{Exited: true, Survivors: []string{"web"}}, "stays", true},
		{"not in the background", daemon, seen{Exited: true}, "stays", false},
		{"stayed", daemon, seen{}, "stays", false},
		{"does not end", facts.Prediction{Ends: "it prints"}, seen{}, "stays", true},
		{"unknown", facts.Prediction{}, seen{Sockets: []socket{public}}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			claims, known := judge(facts.Launch{Known: facts.Yes}, tt.p, tt.seen)
			var wrong []string
			for _, c := range claims {
				if c.wrong != "" {
					wrong = append(wrong, c.kind)
				}
			}
			if diff := cmp.Diff(tt.wrong, strings.Join(wrong, " ")); diff != "" || known != tt.known {
				t.Errorf("known %t, wrong claims -want +got:\n%s", known, diff)
			}
		})
	}
}

// TestComplaints: what a case says of itself has to be so.
func TestComplaints(t *testing.T) {
	t.Parallel()
	died := seen{Exited: true, Code: 1}
	wrong, right := []claim{{kind: "stays", wrong: "ended"}}, []claim{{kind: "stays"}}
	tests := []struct {
		name string
		o    outcome
		want int
	}{
		{"right", outcome{c: &testCase{}, claims: right, known: true}, 0},
		{"wrong", outcome{c: &testCase{}, claims: wrong, known: true}, 1},
		{"an error", outcome{c: &testCase{}, seen: died}, 1},
		{"an error that is expected", outcome{c: &testCase{Fails: "x"}, seen: died}, 0},
		{"an expected error that is not there", outcome{c: &testCase{Fails: "x"}, claims: right}, 1},
		{"differs", outcome{c: &testCase{Differs: "x"}, claims: wrong}, 0},
		{"does not differ", outcome{c: &testCase{Differs: "x"}, claims: right}, 1},
		{"undecidable, and known", outcome{c: &testCase{Undecidable: "x"}, claims: right, known: true}, 1},
		{"undecidable", outcome{c: &testCase{Undecidable: "x"}}, 0},
	}
	for _, tt := range tests {
		if got := tt.o.complaints(); len(got) != tt.want {
			t.Errorf("%s: %d complaints, want %d: %q", tt.name, len(got), tt.want, got)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	got, err := split(`nginx -g 'daemon off;' "" a"b c"`)
	if diff := cmp.Diff([]string{"nginx", "-g", "daemon off;", "", "ab c"}, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if _, err := split("it's"); err == nil {
		t.Error("an open quote was taken")
	}
}
