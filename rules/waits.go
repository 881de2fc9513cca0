package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file recognises what start scripts wait with: commands that ask again
// and again whether another service is there.

// service is what a command or a line of the log names, as it is written.
type service struct{ host, port string }

// waiting are such commands, by the words behind the program's plain name. The
// group host is the service's; a flag -h or -p gives what the pattern does not.
var waiting = []struct {
	programs string
	words    *regexp.Regexp
}{
	{"nc ncat netcat nc.openbsd nc.traditional telnet", regexp.MustCompile(`(?:^| )(?P<host>[^\s-]\S*) (?P<port>\d+)(?: |$)`)},
	{"pg_isready psql mysqladmin mysql mariadb-admin mariadb redis-cli mongo mongosh", regexp.MustCompile(`://(?:[^@/\s]*@)?(?P<host>[^\s:/?]+)(?::(?P<port>\d+))?`)},
	{"wait-for-it wait-for-it.sh wait-for wait-for.sh wait4ports wait-port wait-on dockerize wait4x", regexp.MustCompile(`(?:^| |//|[a-z]:)(?P<host>[A-Za-z0-9][\w.-]*):(?P<port>\d+)`)},
	{"curl wget http https", regexp.MustCompile(`https?://(?:[^@/\s]*@)?(?P<host>[^\s:/?]+)(?::(?P<port>\d+))?`)},
	{"ping nslookup host dig cqlsh", regexp.MustCompile(`(?:^| )(?P<host>[A-Za-z][\w-]*(?:\.[\w-]+)*|\d+(?:\.\d+){3})$`)},
	{"getent", regexp.MustCompile(`^a?hosts\w* (?P<host>\S+)$`)},
	{"bash sh timeout", shellTCP},
}

// shellTCP is bash's own way to connect.
var shellTCP = regexp.MustCompile(`/dev/tcp/(?P<host>[^\s/]+)/(?P<port>\d+)`)

// flagHost and flagPort are how the clients of databases take an address.
var (
	flagHost = regexp.MustCompile(`(?:^| )(?:-h ?|--host[= ])(?P<host>[^\s=-]\S*)`)
	flagPort = regexp.MustCompile(`(?:^| )(?:-[pP] ?|--port[= ])(?P<port>\d+)`)
	flagged  = "pg_isready psql mysqladmin mysql mariadb-admin mariadb redis-cli mongo mongosh wait-for-it wait-for-it.sh"
)

// awaited is the service that a command waits for; false: it does not, or the
// service is in the container itself.
func awaited(argv []string) (service, bool) {
	name, words := called(argv)
	for _, w := range waiting {
		if !slices.Contains(strings.Fields(w.programs), name) {
			continue
		}
		s := service{group(w.words, words, "host"), group(w.words, words, "port")}
		if s.host == "" && slices.Contains(strings.Fields(flagged), name) {
			s = service{group(flagHost, words, "host"), group(flagPort, words, "port")}
		}
		if s.host != "" && !own(s.host) {
			return s, true
		}
	}
	return service{}, false
}

// called is a command's plain name with the words behind it: "timeout 1 nc -z
// db 5432" and "bash /usr/bin/wait-for-it.sh db:5432" are those of what they run.
func called(argv []string) (name, words string) {
	for len(argv) > 0 {
		name, words = path.Base(argv[0]), strings.Join(argv[1:], " ")
		skip := 0
		switch {
		case len(argv) < 2 || strings.Contains(words, "/dev/tcp/"):
		case name == "timeout":
			skip = slices.IndexFunc(argv[1:], func(w string) bool { return !strings.HasPrefix(w, "-") }) + 2
		case slices.Contains(interpreters, name) && !strings.HasPrefix(argv[1], "-"):
			skip = 1
		}
		if skip == 0 || skip >= len(argv) {
			return name, words
		}
		argv = argv[skip:]
	}
	return name, words
}

func group(re *regexp.Regexp, text, name string) string {
	m, i := re.FindStringSubmatch(text), re.SubexpIndex(name)
	if m == nil || i < 0 {
		return ""
	}
	return m[i]
}

// own reports whether a name or address is the container's own; "web" is the
// host name that imglint gives it.
func own(host string) bool {
	host = strings.Trim(host, `[]"'`)
	return host == "" || host == "localhost" || host == "web" || host == "::1" || strings.HasPrefix(host, "127.") ||
		strings.HasPrefix(host, "0.0.0.0") || strings.HasPrefix(host, "198.18.") || strings.ContainsAny(host, "$`*")
}

// wait is a start script's waiting for a service.
type wait struct {
	service
	name     string // of the command that asks
	place    finding.Place
	evidence []finding.Evidence
}

// waitsAtStart finds out what a container waits for in which nothing listens
// and, since it first asked, nothing was started but sleeps and the same again.
func waitsAtStart(p *rule.Pass) (w wait, ok bool) {
	if p.Run.Exit != nil || len(tcp(p)) > 0 || path.Base(p.Launch.Command.Name()) == "sleep" {
		return w, false // what sleeps in the end is not told from what waits
	}
	read, scripted := waitsFirst(&p.Launch)
	before := map[string]bool{commandLine(p.Run.Argv): true}
	for _, e := range p.Run.Events {
		if e.Kind != facts.EventProcess || len(e.Process.Argv) == 0 {
			continue
		}
		argv := e.Process.Argv
		line := commandLine(argv)
		s, asks := awaited(argv)
		// What asks may be too short to be seen, or the shell itself.
		sleeps := scripted && path.Base(argv[0]) == "sleep"
		switch {
		case !ok && (asks || sleeps):
			if w, ok = read, true; asks {
				w.service, w.name = s, plainName(argv)
			}
			w.evidence = append(w.evidence, finding.Evidence{Kind: "seen", At: e.T.Seconds(),
				Text: fmt.Sprintf("pid %d runs %s, and nothing but that again comes after it", e.Process.PID, line)})
		case !ok:
			before[line] = true
		case !asks && !before[line] && path.Base(argv[0]) != "sleep":
			// It went on; what sleeps from now on need not be the script.
			w, ok, scripted, before[line] = wait{}, false, false, true
		}
	}
	if ok && w.place == (finding.Place{}) {
		w.place = where(p)
	}
	return w, ok
}

// waitsFirst finds the same in what is known to run before the last command.
func waitsFirst(l *facts.Launch) (wait, bool) {
	for _, c := range l.Before {
		var w wait
		if c.Spot != nil {
			w.place = spotted(c.Spot)
		} else {
			w.evidence = []finding.Evidence{{Kind: "read", Text: "first it runs " + clip(spelled(c), 160)}}
		}
		for _, run := range append([]facts.Command{c}, c.Runs...) {
			if s, ok := awaited(run.Words()); ok {
				w.service, w.name = s, plainName(run.Words())
				return w, true
			}
		}
		text := withVariables(strings.Join(c.Words(), " "), c.Env)
		if s := (service{group(shellTCP, text, "host"), group(shellTCP, text, "port")}); s.host != "" && !own(s.host) {
			w.service, w.name = s, "/dev/tcp"
			return w, true
		}
	}
	return wait{}, false
}

func plainName(argv []string) string {
	name, _ := called(argv)
	return name
}

// withVariables puts the values of variables into a shell's text; those that
// are not known stay.
func withVariables(text string, env []string) string {
	return shellVariable.ReplaceAllStringFunc(strings.NewReplacer(`"`, "", "'", "").Replace(text), func(expansion string) string {
		for _, kv := range env {
			if key, value, _ := strings.Cut(kv, "="); key == strings.Trim(expansion, "${}") {
				return value
			}
		}
		return expansion
	})
}

var shellVariable = regexp.MustCompile(`\$\w+|\$\{\w+\}`)

// started reports whether the command that a launch comes to in the end was
// seen to run, or there is nothing before it.
func started(p *rule.Pass) bool {
	if len(p.Launch.Before) == 0 || p.Launch.Known != facts.Yes {
		return true
	}
	want := processName(p.Launch.Command.Words())
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventProcess && processName(e.Process.Argv) == want {
			return true
		}
	}
	return false
}

// Signs tell, while an image runs, what the rules will make of what it writes
// and of the commands that it runs.
type Signs struct{}

// Awaits reports whether a command waits for a service outside of its container:
// one that asks for it, or, where what runs first is known to, one that sleeps.
func (Signs) Awaits(argv []string, l *facts.Launch) bool {
	if _, ok := awaited(argv); ok {
		return true
	}
	_, ok := waitsFirst(l)
	return ok && len(argv) > 0 && path.Base(argv[0]) == "sleep"
}

// Unreachable reports whether a line of the log says that another service
// cannot be reached.
func (Signs) Unreachable(line string) bool {
	_, ok := mentioned(patterns().Dependency, []facts.LogLine{{Text: line}})
	return ok
}

// KillsBooting reports whether a line of the log says that a server has killed
// a worker that was still booting.
func (Signs) KillsBooting(line string, p *facts.Prediction) bool {
	if strings.Contains(line, "WORKER TIMEOUT") {
		return p.Gunicorn != nil && p.Gunicorn.KillsBooting == facts.Yes
	}
	return bootKill.MatchString(line)
}

// bootKill is what puma's cluster.rb writes.
var bootKill = regexp.MustCompile(`! Terminating timed out worker \(worker failed to boot within `)
