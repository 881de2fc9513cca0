package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// NotHTTP reports a server on the endpoint port that does not speak HTTP: a
// database, a cache, a message queue, FastCGI (php-fpm) or uwsgi.
//
// Why it fails: the health check of an HTTP(S) endpoint is an HTTP request,
// and what comes back is not an HTTP answer.
//
// Fix: give the service a TCP or TLS endpoint, which has no HTTP health check
// (aptible endpoints:tcp:create); or, for FastCGI and uwsgi, put a web server
// such as nginx in front.
var NotHTTP = &rule.Rule{
	ID:       "not-http",
	Title:    "the endpoint port does not speak HTTP",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind},
	Check:    checkNotHTTP,
}

func checkNotHTTP(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || passed(p) {
		return
	}
	if p.Run == nil {
		predictNotHTTP(p, endpoint)
		return
	}
	answer, ok := lastOutside(p, endpoint)
	if !ok || p.Run.Exit != nil {
		return
	}
	if c := answer.Class; c != facts.ClassOther && c != facts.ClassClosed && c != facts.ClassReset {
		return
	}
	here := public(on(tcp(p), endpoint))
	if len(here) == 0 {
		return
	}
	f := finding.Finding{
		Message:  fmt.Sprintf("%s on port %d does not speak HTTP: %s", owner(p, here[0]), endpoint, spoken(p, answer)),
		Place:    where(p),
		Evidence: []finding.Evidence{sight(p, here[0])},
		Fix:      otherEndpoint(p, answerProtocol(p, answer)),
	}
	p.Report(f)
}

// names of protocols as people write them.
var protocolNames = map[string]string{
	"redis": "Redis", "memcached": "memcached", "fastcgi": "FastCGI", "uwsgi": "uwsgi", "postgres": "PostgreSQL",
	"mysql": "MySQL", "ssh": "SSH", "smtp": "SMTP", "ftp": "FTP", "amqp": "AMQP", "mongodb": "MongoDB", "h2c": "HTTP/2 without TLS and without HTTP/1",
}

func answerProtocol(p *rule.Pass, a *facts.Answer) string {
	if a.Protocol != "" {
		return a.Protocol
	}
	for _, l := range predictedTCP(p) {
		if l.Port == a.Port && l.Protocol != "http" {
			return l.Protocol
		}
	}
	return ""
}

func spoken(p *rule.Pass, a *facts.Answer) string {
	if name := protocolNames[answerProtocol(p, a)]; name != "" {
		return "it speaks " + name
	}
	switch a.Class {
	case facts.ClassClosed:
		return "it accepts the connection and closes it without an answer"
	case facts.ClassReset:
		return "it accepts the connection and resets it without an answer"
	}
	return fmt.Sprintf(`it sent "%s"`, a.First)
}

func predictNotHTTP(p *rule.Pass, endpoint int) {
	if !predictable(p) || p.Launch.Ends != "" || p.Prediction.Daemonizes == facts.Yes {
		return
	}
	for _, l := range predictedTCP(p) {
		if l.Port != endpoint || l.Protocol == "" || l.Protocol == "http" || l.Protocol == "https" {
			continue
		}
		name := protocolNames[l.Protocol]
		if name == "" {
			name = l.Protocol
		}
		p.Report(finding.Finding{
			Message:  fmt.Sprintf("%s on port %d speaks %s, not HTTP", program(p), endpoint, name),
			Place:    where(p),
			Evidence: []finding.Evidence{{Kind: "read", Text: expected(p, l)}},
			Fix:      otherEndpoint(p, l.Protocol),
		})
		return
	}
}

func otherEndpoint(p *rule.Pass, protocol string) *finding.Fix {
	switch protocol {
	case "fastcgi", "uwsgi":
		return &finding.Fix{Description: "put a web server such as nginx in front of it in the same image, and expose that one's port"}
	}
	if p.Target.Platform != "aptible" {
		return &finding.Fix{Description: "give " + platformName(p) + " a check that only opens a connection, or make the program answer HTTP there"}
	}
	return &finding.Fix{Description: "give the service a TCP endpoint, which has no HTTP health check: aptible endpoints:tcp:create (or endpoints:tls:create)"}
}
