package rules

import (
	"fmt"
	"strconv"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UnexposedPort reports a server that listens on a port that the image does
// not expose, while nothing listens on the port that it does expose.
//
// Why it fails: the platform sends its health check to the exposed port,
// where the connection is refused.
//
// Fix: change EXPOSE to the port the server listens on, or the server's port
// to the exposed one.
var UnexposedPort = &rule.Rule{
	ID:       "unexposed-port",
	Title:    "listens on a port that the image does not expose",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, WrongArchitecture, InteractiveCommand, Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkUnexposedPort,
}

func checkUnexposedPort(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || p.Target.Endpoint.Injected || passed(p) {
		return
	}
	if p.Run == nil {
		predictUnexposedPort(p, endpoint)
		return
	}
	listeners := tcp(p)
	if p.Run.Exit != nil || len(on(listeners, endpoint)) > 0 || otherExposed(p, listeners) {
		return
	}
	l, ok := answering(p, listeners)
	if !ok {
		return
	}
	f := unexposed(p, endpoint, l.Port, owner(p, l))
	f.Evidence = []finding.Evidence{sight(p, l), {Kind: "seen", Text: fmt.Sprintf("nothing listened on port %d within %s", endpoint, seconds(p.Run.Took))}}
	p.Report(f)
}

func predictUnexposedPort(p *rule.Pass, endpoint int) {
	listens := predictedTCP(p)
	if !predictable(p) || len(listens) == 0 || p.Launch.Ends != "" || p.Prediction.Daemonizes == facts.Yes {
		return
	}
	for _, l := range listens {
		if l.Port == 0 || l.Port == endpoint || exposed(p, endpoint) && exposed(p, l.Port) {
			return
		}
	}
	f := unexposed(p, endpoint, listens[0].Port, program(p))
	f.Evidence = []finding.Evidence{{Kind: "read", Text: expected(p, listens[0])}}
	p.Report(f)
}

// otherExposed reports whether another exposed port has a listener: that is
// the wrong endpoint port, not an unexposed one.
func otherExposed(p *rule.Pass, listeners []facts.Listener) bool {
	if !exposed(p, p.Target.Endpoint.Port) || p.Workload != nil {
		return false
	}
	for _, l := range listeners {
		if exposed(p, l.Port) {
			return true
		}
	}
	return false
}

func unexposed(p *rule.Pass, endpoint, port int, who string) finding.Finding {
	if p.Target.Endpoint.Explicit {
		return finding.Finding{
			Message: fmt.Sprintf("%s listens on port %d, but the health check goes to port %d, which was asked for", who, port, endpoint),
			Place:   where(p),
			Fix:     &finding.Fix{Description: fmt.Sprintf("set the endpoint's port to %d, or make %s listen on %d", port, who, endpoint)},
		}
	}
	if !exposed(p, endpoint) || p.Target.Endpoint.Named {
		return finding.Finding{
			Message: fmt.Sprintf("%s listens on port %d, but %s asks port %d (%s)", who, port, platformName(p), endpoint, p.Target.Endpoint.ChosenBy),
			Place:   where(p),
			Fix:     &finding.Fix{Description: portFix(p, port, endpoint, who)},
		}
	}
	return finding.Finding{
		Message: fmt.Sprintf("%s listens on port %d, but the image exposes %d, and that is where the health check goes", who, port, endpoint),
		Place:   finding.Place{Field: finding.FieldExpose, Words: strconv.Itoa(endpoint)},
		Fix:     exposeFix(port, udpPorts(p)),
	}
}

// portFix is for platforms that do not read EXPOSE, or found none.
func portFix(p *rule.Pass, port, endpoint int, who string) string {
	if settings := p.Target.Settings.Port; len(settings) > 0 {
		return fmt.Sprintf("set the port of the platform to %d (%s), or make %s listen on %d", port, settings[0], who, endpoint)
	}
	return fmt.Sprintf("make %s listen on %d, or set the port of the platform to %d", who, endpoint, port)
}

func udpPorts(p *rule.Pass) []facts.Port {
	var ports []facts.Port
	for _, port := range p.Image.Config.Exposed {
		if port.Protocol != "tcp" {
			ports = append(ports, port)
		}
	}
	return ports
}
