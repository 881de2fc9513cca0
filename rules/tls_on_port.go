package rules

import (
	"fmt"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// TLSOnPort reports a server that wants TLS (https) on the endpoint port.
//
// Why it fails: the platform ends TLS at its edge and asks the container in
// plain HTTP. A TLS server answers that with an error or not at all; one that
// explains itself with an HTTP 400 passes a check that takes any status, and
// then every request of every user gets that 400.
//
// Fix: serve plain HTTP inside the container, and let the platform hold the
// certificate.
var TLSOnPort = &rule.Rule{
	ID:       "tls-on-port",
	Title:    "the endpoint port wants TLS where plain HTTP is asked",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind},
	Check:    checkTLSOnPort,
}

func checkTLSOnPort(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if p.Run == nil {
		predictTLSOnPort(p, endpoint)
		return
	}
	answer, ok := tlsAnswer(p, endpoint)
	if !ok || endpoint == 0 || p.Run.Exit != nil {
		return
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s on port %d wants TLS%s, and the health check is plain HTTP", program(p), endpoint, overTLS(p, answer)),
		Place:   where(p),
		Fix:     &finding.Fix{Description: "serve plain HTTP on this port; the platform's endpoint holds the certificate"},
	}
	if answer.ALPN == "none" || speaksOther(p) {
		f.Fix.Description = "give the service an endpoint that passes connections on as they are and has no HTTP health check"
		if p.Target.Platform == "aptible" {
			f.Fix.Description += ": aptible endpoints:tcp:create"
		}
	}
	if answer.Status != 0 {
		f.Severity = finding.Warning
		f.Message = fmt.Sprintf("%s on port %d wants TLS%s: it answers plain HTTP with an error %d, which passes the health check, and so will every user's request be answered", program(p), endpoint, overTLS(p, answer), answer.Status)
	}
	if here := on(tcp(p), endpoint); len(here) > 0 {
		f.Evidence = []finding.Evidence{sight(p, here[0])}
	}
	p.Report(f)
}

// overTLS says what a server speaks over TLS, as far as that is known.
func overTLS(p *rule.Pass, a *facts.Answer) string {
	switch {
	case a.ALPN == "h2":
		return " (https, HTTP/2)"
	case a.ALPN == "http/1.1":
		return " (https, HTTP/1.1)"
	case a.ALPN == "none":
		return " and refuses HTTP over it"
	case speaksOther(p):
		return ""
	}
	return " (https)"
}

// speaksOther reports whether the program is known and none of what it listens
// for is HTTP: a redis whose ports are not all known is no web server.
func speaksOther(p *rule.Pass) bool {
	if protocolNames[p.Prediction.Server] != "" {
		return true
	}
	listens := predictedTCP(p)
	return len(listens) > 0 && !slices.ContainsFunc(listens, func(l facts.Listen) bool {
		return l.Protocol == "" || l.Protocol == "http" || l.Protocol == "https"
	})
}

func tlsAnswer(p *rule.Pass, port int) (*facts.Answer, bool) {
	for _, e := range p.Run.Answers(port) {
		if !e.Answer.Loopback() && e.Answer.Class == facts.ClassTLS {
			return e.Answer, true
		}
	}
	return nil, false
}

func predictTLSOnPort(p *rule.Pass, endpoint int) {
	if !predictable(p) || endpoint == 0 {
		return
	}
	for _, l := range predictedTCP(p) {
		if l.Port == endpoint && l.Protocol == "https" {
			p.Report(finding.Finding{
				Severity: finding.Warning,
				Message:  fmt.Sprintf("%s on port %d will want TLS (https), and the health check is plain HTTP", program(p), endpoint),
				Place:    where(p),
				Evidence: []finding.Evidence{{Kind: "read", Text: expected(p, l)}},
				Fix:      &finding.Fix{Description: "serve plain HTTP on this port; the platform's endpoint holds the certificate"},
			})
			return
		}
	}
}
