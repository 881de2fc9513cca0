package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file holds what the rules about EXPOSE share.

// exposeListener completes a finding about EXPOSE with the port that the
// program listens on, seen or predicted, and the fix that exposes it.
func exposeListener(p *rule.Pass, f *finding.Finding, keep []facts.Port) {
	port := 0
	if p.Run != nil {
		listeners := public(tcp(p))
		if len(listeners) == 0 { // reached by nobody yet, which is a fault of its own
			listeners = tcp(p)
		}
		if l, ok := answering(p, listeners); ok {
			port = l.Port
			f.Evidence = append(f.Evidence, sight(p, l))
		}
	} else if listens := predictedTCP(p); predictable(p) && len(listens) > 0 && listens[0].Port != 0 {
		port = listens[0].Port
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "read", Text: expected(p, listens[0])})
	}
	if port == 0 {
		return
	}
	f.Fix = exposeFix(port, keep)
}

func exposeFix(port int, keep []facts.Port) *finding.Fix {
	exposed := facts.Port{Number: port, Protocol: "tcp"}
	set := []string{exposed.String()}
	for _, other := range keep {
		set = append(set, other.String())
	}
	return &finding.Fix{
		Description: "expose the port that the server listens on",
		Instruction: fmt.Sprintf("EXPOSE %d", port),
		Change:      finding.Change{Expose: set},
	}
}

// expected says what will listen where, and how imglint knows.
func expected(p *rule.Pass, l facts.Listen) string {
	text := fmt.Sprintf("%s will listen on %s", program(p), listenAddress(l))
	switch {
	case l.HostFrom != "" && l.PortFrom != "" && l.HostFrom != l.PortFrom:
		text += fmt.Sprintf(" (address: %s, port: %s)", l.HostFrom, l.PortFrom)
	case l.PortFrom != "":
		text += " (" + l.PortFrom + ")"
	}
	return text
}

func listenAddress(l facts.Listen) string {
	if l.Network == "unix" {
		return "the unix socket " + l.Path
	}
	host := l.Host
	switch {
	case host == "" && l.Scope == facts.ScopeAny:
		host = "0.0.0.0"
	case host == "":
		host = "?"
	}
	port := "?"
	if l.Port != 0 {
		port = fmt.Sprint(l.Port)
	}
	return host + ":" + port
}
