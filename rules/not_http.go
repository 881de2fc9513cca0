package rules

import (
	"fmt"
	"slices"

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
// imglint tells what it is: from what the server sends first or in answer to
// the request, and where that is nothing, from its answers to the first words
// of other protocols (redis, memcached, TLS, PostgreSQL, FastCGI, uwsgi,
// HTTP/2).
//
// Fix: give the service a TCP or TLS endpoint, which has no HTTP health check
// (aptible endpoints:tcp:create); or, for FastCGI and uwsgi, put a web server
// such as nginx in front.
var NotHTTP = &rule.Rule{
	ID:       "not-http",
	Title:    "the endpoint port does not speak HTTP",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, GunicornWorkerTimeout, PumaWorkerTimeout},
	Check:    checkNotHTTP,
}

func checkNotHTTP(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	switch {
	case endpoint == 0:
		return
	case p.Run == nil:
		predictNotHTTP(p, endpoint)
		return
	case passed(p):
		reportDisguised(p, endpoint)
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

// reportDisguised is for a server that answers HTTP only to say that it is
// something else, as MongoDB does.
func reportDisguised(p *rule.Pass, endpoint int) {
	e, _ := p.Run.Passed(endpoint, p.Target.Probe)
	here := on(tcp(p), endpoint)
	if e.Answer.Class != facts.ClassHTTP || e.Answer.Protocol == "" || len(here) == 0 {
		return
	}
	p.Report(finding.Finding{
		Severity: finding.Warning,
		Message: fmt.Sprintf("%s on port %d speaks %s, and answers HTTP only to say so: the health check passes, and nothing else works over this endpoint",
			owner(p, here[0]), endpoint, protocolName(e.Answer.Protocol)),
		Place:    where(p),
		Evidence: []finding.Evidence{sight(p, here[0])},
		Fix:      otherEndpoint(p, e.Answer.Protocol),
	})
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
	if protocol := answerProtocol(p, a); protocol != "" {
		return "it speaks " + protocolName(protocol)
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
		p.Report(finding.Finding{
			Message:  fmt.Sprintf("%s on port %d speaks %s, not HTTP", program(p), endpoint, protocolName(l.Protocol)),
			Place:    where(p),
			Evidence: []finding.Evidence{{Kind: "read", Text: expected(p, l)}},
			Fix:      otherEndpoint(p, l.Protocol),
		})
		return
	}
}

// wrapped are protocols whose clients can start with TLS, so that a platform
// may end it in front of the server.
var wrapped = []string{"redis", "memcached", "amqp", "mongodb", "h2c"}

// otherEndpoint says which type of endpoint takes a protocol.
func otherEndpoint(p *rule.Pass, protocol string) *finding.Fix {
	switch {
	case protocol == "uwsgi":
		return &finding.Fix{Description: "let uwsgi speak HTTP (--http instead of --socket), or put a web server such as nginx in front of it in the same image, and expose that one's port"}
	case protocol == "fastcgi":
		return &finding.Fix{Description: "put a web server such as nginx in front of it in the same image, and expose that one's port"}
	}
	text := "give " + platformName(p) + " a check that only opens a connection, or make the program answer HTTP there"
	switch p.Target.Platform {
	case "aptible":
		text = "give the service a TCP endpoint, which has no HTTP health check: aptible endpoints:tcp:create"
		if slices.Contains(wrapped, protocol) {
			text += " (or endpoints:tls:create, which ends TLS in front of it)"
		}
	case "kubernetes":
		text = "let the probe only open a connection (tcpSocket)"
		if protocol == "h2c" {
			text += ", or ask it as gRPC (grpc)"
		}
	}
	return &finding.Fix{Description: text}
}
