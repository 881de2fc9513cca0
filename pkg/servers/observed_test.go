package servers_test

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

type observed struct {
	id, command, env, tcp, unix, state string
	files                              fs.FS
}

func readObserved(t *testing.T) []observed {
	t.Helper()
	text, err := os.ReadFile("testdata/observed.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows []observed
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(strings.TrimRight(line, "\n"), "\t")
		row := observed{id: c[0], command: c[1], env: c[2], tcp: c[3], unix: c[4], state: c[5]}
		if c[6] == "none" {
			row.files = fstest.MapFS{}
		}
		rows = append(rows, row)
	}
	return rows
}

var shellScript = regexp.MustCompile(`^(.*?\b(?:sh|bash|ash|su|runuser|flock)\b(?: [^ ]+)*? -[a-z]*c) (.*)$`)

// argv rebuilds the words of a recorded command, whose quotes were not kept.
func (o observed) argv() []string {
	words := strings.Split(o.command, " ")
	if m := shellScript.FindStringSubmatch(o.command); m != nil && o.id != "sh-c-split-mistake" {
		return append(strings.Fields(m[1]), m[2])
	}
	if strings.ContainsAny(o.command, ";&|") {
		return []string{"sh", "-c", o.command}
	}
	return words
}

// unusable are rows whose words cannot be rebuilt, or that ran on something
// the prediction cannot know: a port that was taken, another program's files.
var unusable = map[string]string{
	"env-S": "quotes lost", "flock-c": "quotes lost", "script-c": "quotes lost", "runuser-c": "quotes lost", "su-c": "quotes lost",
}

// TestObserved holds every claim of the catalogue against what was measured.
func TestObserved(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	for _, row := range readObserved(t) {
		count["rows"]++
		if _, skip := unusable[row.id]; skip || len(row.command) >= 240 { // the longest were cut
			continue
		}
		l := launch.Follow(facts.Config{Cmd: row.argv(), WorkingDir: "/app"}, strings.Fields(row.env), row.files)
		p := servers.Predict(l, row.files)
		switch {
		case l.Known != facts.Yes:
			count["launch unknown"]++
			continue
		case l.Ends != "" || p.Ends != "" || p.Interactive != "":
			count["ends"]++
		case p.Daemonizes == facts.Yes:
			count["background"]++
		case p.Complete:
			count["listeners"]++
		case p.Daemonizes == facts.No:
			count["foreground only"]++
		}
		if why := contradiction(row, l, p); why != "" {
			t.Errorf("%s: %s %s\n  measured %q %s %s\n  %s: %s %+v", row.id, row.env, row.command, row.tcp, row.unix, row.state, why, l.Ends, p)
		}
	}
	t.Logf("claims checked: %v", count)
	if count["listeners"] < 150 || count["background"]+count["ends"] < 25 {
		t.Errorf("the catalogue claims too little: %v", count)
	}
}

// diesAnyway are runs that the program's own faults ended; the prediction is
// about what would have been opened.
var diesAnyway = regexp.MustCompile(`boom|nomodule|noattr|badworker|noapp|inuse|nobuild|norackup|hy-slow|hy18-slow|hy-D|strict|envfile|guv-20.0.4|gu26-(gevent|eventlet|certfile)|b-v6-1$|lifespan-fail|wa-call|flask-debug|dj-prod-nohosts|aiohttp-web$|jupyter-notebook-root|timeout-kill|set-e-migrate|sidekiq|uwsgi-needapp|pm2-runtime-crash|da-b-hostport`)

func contradiction(row observed, l facts.Launch, p facts.Prediction) string {
	running := row.state == "running"
	ends := l.Ends != "" || p.Ends != "" || p.Interactive != ""
	switch {
	case ends && running:
		return "said to end"
	case ends:
		return ""
	case p.Daemonizes == facts.Yes && running:
		return "said to go to the background"
	case p.Daemonizes == facts.Yes:
		return ""
	case diesAnyway.MatchString(row.id):
		return ""
	case p.Daemonizes == facts.No && p.Server != "" && row.state == "exited/0":
		return "said to stay in the foreground"
	case !p.Complete:
		return ""
	case !running:
		return "said to listen"
	}
	return sockets(row, p)
}

// sockets compares the listeners both ways. A name such as localhost may be
// two sockets, and any address may be an IPv4 or an IPv6 one.
func sockets(row observed, p facts.Prediction) string {
	matched := make([]bool, len(p.Listens))
	for _, text := range strings.FieldsFunc(row.tcp, func(r rune) bool { return r == ',' }) {
		seen, found := netip.MustParseAddrPort(text), false
		for i, l := range p.Listens {
			if l.Network == "tcp" && (l.Port == 0 || l.Port == int(seen.Port())) && inScope(l, seen.Addr()) {
				matched[i], found = true, true
			}
		}
		if !found {
			return text + " was not predicted"
		}
	}
	for i, l := range p.Listens {
		if l.Network == "tcp" && !matched[i] || l.Network == "unix" && !strings.Contains(row.unix, l.Path) {
			return fmt.Sprintf("%s:%d%s was predicted and not there", l.Host, l.Port, l.Path)
		}
	}
	return ""
}

func inScope(l facts.Listen, seen netip.Addr) bool {
	switch l.Scope {
	case facts.ScopeAny, facts.ScopeAny6:
		return seen.IsUnspecified()
	case facts.ScopeLoopback:
		return seen.IsLoopback()
	}
	return l.Host == seen.String()
}
