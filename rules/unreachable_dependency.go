package rules

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UnreachableDependency reports a container that ended, or never listened,
// because it could not connect to something else: a database, a cache,
// another service.
//
// Why it fails: the program wants its dependency before it listens. On the
// platform the same happens when the address is wrong or the dependency is
// slow to come up. imglint runs images without a network unless --network
// names one, so it cannot tell whether the dependency would be there.
//
// It tells so from the log, and where that is silent from a connection that
// nobody answered, or from what a start script asks again and again (nc,
// pg_isready, wait-for-it, curl, /dev/tcp …), with the variable that holds the
// address. After 90 s in which nothing else happens it stops waiting.
//
// Fix: let the program start without it and connect when it is needed, or
// retry; check the address that is configured on the platform.
var UnreachableDependency = &rule.Rule{
	ID:       "unreachable-dependency",
	Title:    "ended or hung connecting to another service",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{NoCommand, CommandNotFound, CommandNotExecutable, WrongArchitecture, UnexpandedVariable, InteractiveCommand, OutOfMemory, MissingEnvironment},
	Check:    checkUnreachableDependency,
}

func checkUnreachableDependency(p *rule.Pass) {
	if passed(p) || p.Run.Exit != nil && p.Run.Exit.Code == 0 {
		return
	}
	if m, ok := mentioned(patterns().Dependency, p.Run.Log.Lines); ok && (p.Run.Exit != nil || len(tcp(p)) == 0) {
		host, port := m.words["host"], m.words["port"]
		reportUnreachable(p, where(p), service{host, port}, clip(m.words["why"], 80), finding.Evidence{Kind: "log", Text: clip(m.line.Text, 300), At: m.line.T.Seconds()})
		return
	}
	if e, ok := waitedFor(p); ok {
		s := e.Socket
		reportUnreachable(p, where(p), service{s.Addr.String(), strconv.Itoa(s.Port)}, "no answer to its connection", finding.Evidence{
			Kind: "seen", At: e.T.Seconds(),
			Text: fmt.Sprintf("pid %d %s waited for %s to answer its connection", s.PID, processName(s.Argv), s.Address()),
		})
		return
	}
	if w, ok := waitsAtStart(p); ok {
		reportUnreachable(p, w.place, w.service, w.name+" waits for it", w.evidence...)
	}
}

// waitedFor is the first connection that nobody answered, of a program that
// ended, does not listen, or takes no request: one that serves otherwise may
// wait for whom it likes.
func waitedFor(p *rule.Pass) (facts.Event, bool) {
	if p.Run.Exit == nil && len(tcp(p)) > 0 {
		stuck := slices.ContainsFunc(p.Run.Events, func(e facts.Event) bool {
			return e.Kind == facts.EventQueue && e.Socket.Port == p.Target.Endpoint.Port && e.Socket.Queue > 0
		})
		_, answered := firstAnswer(p)
		if !stuck || answered {
			return facts.Event{}, false
		}
	}
	i := slices.IndexFunc(p.Run.Events, func(e facts.Event) bool { return e.Kind == facts.EventConnecting })
	if i < 0 {
		return facts.Event{}, false
	}
	return p.Run.Events[i], true
}

func reportUnreachable(p *rule.Pass, at finding.Place, s service, why string, seen ...finding.Evidence) {
	host, port := s.host, s.port
	what := host
	switch {
	case host == "":
		what = "another service"
	case port != "" && strings.Count(host, ":") > 1 && host[0] != '[':
		what = "[" + host + "]:" + port
	case port != "":
		what = host + ":" + port
	}
	message := fmt.Sprintf("%s cannot reach %s when it starts (%s)", program(p), what, why)
	if p.Run.Exit == nil && !started(p) {
		message = fmt.Sprintf("%s is not started: the container cannot reach %s, which comes first (%s)", program(p), what, why)
	}
	f := finding.Finding{
		Message:  message + named(p, host, port),
		Place:    at,
		Evidence: seen,
		Fix:      &finding.Fix{Description: "start without it and retry in the background, and check the address on the platform; to try it here with the service, put it on a network of the engine and name that with --network"},
	}
	if exit := p.Run.Exit; exit != nil {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", At: exit.T.Seconds(), Text: "the container exited with " + status(exit)})
	}
	p.Report(f)
}

// usualPorts are those of databases and queues, by the scheme of their URLs.
var usualPorts = map[string]string{
	"postgres": "5432", "postgresql": "5432", "mysql": "3306", "mariadb": "3306", "redis": "6379", "rediss": "6379",
	"amqp": "5672", "amqps": "5671", "mongodb": "27017", "nats": "4222", "kafka": "9092", "memcached": "11211",
}

// named says which variable holds the address, the image's or the user's. The
// name that a variable holds was resolved before the kernel saw the address;
// its port is then what tells, if only one variable has it.
func named(p *rule.Pass, host, port string) string {
	var byHost, byPort []string
	for _, kv := range slices.Concat(p.Launch.Command.Env, p.Image.Config.Env) {
		key, value, _ := strings.Cut(kv, "=")
		switch {
		case slices.Contains(byHost, key) || slices.Contains(byPort, key):
		case host != "" && holds(value, host):
			byHost = append(byHost, key)
		case port != "" && (strings.HasSuffix(key, "PORT") && value == port || holdsPort(value, port)):
			byPort = append(byPort, key)
		}
	}
	_, err := netip.ParseAddr(host)
	switch {
	case len(byHost) > 0:
		return ", the address in " + byHost[0]
	case len(byPort) == 1 && err == nil:
		return ", the port in " + byPort[0]
	}
	return ""
}

// holds reports whether value has host in it and not as a part of another name.
func holds(value, host string) bool {
	ok, err := regexp.MatchString(`(?i)(^|[^\w.-])`+regexp.QuoteMeta(host)+`($|[^\w.-])`, value)
	return ok && err == nil
}

// holdsPort reports whether value is an address with the port, written or usual.
func holdsPort(value, port string) bool {
	u, err := url.Parse(strings.TrimPrefix(value, "jdbc:"))
	if err == nil && u.Host != "" {
		return u.Port() == port || u.Port() == "" && usualPorts[u.Scheme] == port
	}
	_, after, ok := strings.Cut(value, ":")
	return ok && after == port
}
