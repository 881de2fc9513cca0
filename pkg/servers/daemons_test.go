package servers_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

// exceptions are starts that differ from what the words say, for a reason
// that only their files or the machine tell.
var exceptions = map[string]string{
	"rc-service-start":       "OpenRC that was never booted does nothing",
	"nginx-service-bash-tty": "was given a terminal",
	"sh-bash-it":             "was given a terminal",
	"sshd-d":                 "waits for its one connection",
}

// TestDaemons holds predictions against what real programs did. Without the
// files only the words count, so much stays unknown; nothing may be wrong.
func TestDaemons(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/daemons.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows, decided, addressed int
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(strings.TrimRight(line, "\n"), "\t")
		var argv []string
		if err := json.Unmarshal([]byte(c[1]), &argv); err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		rows++
		if exceptions[c[0]] != "" {
			continue
		}
		l := launch.Follow(facts.Config{Cmd: argv}, strings.Fields(c[2]), nil)
		p := servers.Predict(l, nil)
		if l.Known != facts.Yes {
			continue
		}
		ends := l.Ends + p.Ends + p.Interactive
		switch {
		case ends == "" && p.Daemonizes == facts.Yes && c[3] == "stays", ends == "" && p.Daemonizes == facts.No && c[3] == "daemonized":
			t.Errorf("%s: %q: Daemonizes %s (%s), but it %s", c[0], argv, p.Daemonizes, p.DaemonWhy, c[3])
		case ends != "" && c[3] == "stays" && !strings.Contains(ends, "after its time"):
			t.Errorf("%s: %q ends (%s), but it stays", c[0], argv, ends)
		}
		if ends != "" || p.Daemonizes != facts.Unknown {
			decided++
		}
		if p.Complete && len(p.Listens) > 0 && c[4] != "" && c[3] != "exits" {
			addressed++
			if why := disagree(p, strings.Split(c[4], ",")); why != "" {
				t.Errorf("%s: %q: %s, seen %s", c[0], argv, why, c[4])
			}
		}
	}
	t.Logf("%d starts, %d decided, %d with addresses", rows, decided, addressed)
	if rows < 700 || decided < rows/2 {
		t.Errorf("%d starts, %d decided", rows, decided)
	}
}

// disagree compares predicted TCP listeners with those that were seen.
func disagree(p facts.Prediction, seen []string) string {
	var got []facts.Socket
	for _, text := range seen {
		host, err := netip.ParseAddrPort(text)
		if err != nil {
			return ""
		}
		got = append(got, facts.Socket{Network: "tcp", Addr: host.Addr(), Port: int(host.Port())})
	}
	for _, want := range p.Listens {
		if want.Network != "tcp" || want.Port == 0 {
			continue
		}
		if !slices.ContainsFunc(got, func(s facts.Socket) bool {
			loopback := s.Scope() == facts.ScopeLoopback
			return s.Port == want.Port && loopback == (want.Scope == facts.ScopeLoopback)
		}) {
			return "predicts " + spell(p)
		}
	}
	return ""
}
