package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// IPv6OnlyBind reports a server that listens on IPv6 addresses only.
//
// Why it fails: the platform asks over IPv4. A [::] socket usually takes IPv4
// too, but not when the program sets IPV6_V6ONLY, as uvicorn --host :: and
// nginx's listen [::]:80 do.
//
// Fix: listen on 0.0.0.0.
var IPv6OnlyBind = &rule.Rule{
	ID:       "ipv6-only-bind",
	Title:    "listens on IPv6 only",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{LoopbackBind, Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkIPv6OnlyBind,
}

func checkIPv6OnlyBind(p *rule.Pass) {
	if passed(p) || p.Run.Exit != nil {
		return
	}
	here := on(tcp(p), p.Target.Endpoint.Port)
	if len(here) == 0 || len(public(here)) > 0 {
		return
	}
	for _, l := range here {
		if l.Scope() != facts.ScopeAny6 {
			continue
		}
		p.Report(finding.Finding{
			Message:  fmt.Sprintf("%s listens on %s for IPv6 only, and the health check comes over IPv4", owner(p, l), l.Address()),
			Place:    bindPlace6(p, l.Port),
			Evidence: []finding.Evidence{sight(p, l)},
			Fix:      v4Fix(p, l.Port),
		})
		return
	}
}

// bindPlace6 points at what says that the address is IPv6's.
func bindPlace6(p *rule.Pass, port int) finding.Place {
	for _, l := range predictedTCP(p) {
		if file, line, ok := fileLine(l.HostFrom); ok && l.Port == port && l.Scope == facts.ScopeAny6 {
			return finding.Place{Field: where(p).Field, Path: file, Line: line, Words: fmt.Sprintf("[%s]:%d", l.Host, port)}
		}
	}
	return where(p)
}

func v4Fix(p *rule.Pass, port int) *finding.Fix {
	if fix := remedy(p.Prediction.FixPublic); fix != nil {
		return fix
	}
	return trying(&finding.Fix{Description: fmt.Sprintf("make %s listen on 0.0.0.0:%d", program(p), port)}, p.Prediction.FixPublic)
}
