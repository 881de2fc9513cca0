package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// WrongEndpointPort reports an image that exposes several ports of which the
// platform picks one that nobody listens on.
//
// Why it fails: the platform sends its health check to one port only. Aptible
// takes the lowest one compared as text: of 80 and 443 that is 443, because
// "4" comes before "8".
//
// Fix: expose only the port the server listens on, or name the port when the
// endpoint is made (aptible endpoints:https:create --port 80).
var WrongEndpointPort = &rule.Rule{
	ID:       "wrong-endpoint-port",
	Title:    "of several exposed ports the platform picks one that nobody listens on",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, WrongArchitecture, InteractiveCommand, Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkWrongEndpointPort,
}

func checkWrongEndpointPort(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || len(exposedTCP(p)) < 2 || !exposed(p, endpoint) || p.Target.Endpoint.Injected || p.Workload != nil || passed(p) {
		return
	}
	if p.Run == nil {
		predictWrongEndpointPort(p, endpoint)
		return
	}
	listeners := tcp(p)
	if p.Run.Exit != nil || len(on(listeners, endpoint)) > 0 {
		return
	}
	var candidates []facts.Listener
	for _, l := range listeners {
		if exposed(p, l.Port) {
			candidates = append(candidates, l)
		}
	}
	if l, ok := answering(p, candidates); ok {
		f := wrongPort(p, endpoint, l.Port, owner(p, l))
		f.Evidence = []finding.Evidence{sight(p, l), {Kind: "seen", Text: fmt.Sprintf("nothing listened on port %d within %s", endpoint, seconds(p.Run.Took))}}
		p.Report(f)
	}
}

func predictWrongEndpointPort(p *rule.Pass, endpoint int) {
	if !predictable(p) || p.Launch.Ends != "" || p.Prediction.Daemonizes == facts.Yes {
		return
	}
	var candidate *facts.Listen
	for _, l := range predictedTCP(p) {
		if l.Port == 0 || l.Port == endpoint {
			return
		}
		if candidate == nil && exposed(p, l.Port) {
			candidate = &l
		}
	}
	if candidate == nil {
		return
	}
	f := wrongPort(p, endpoint, candidate.Port, program(p))
	f.Evidence = []finding.Evidence{{Kind: "read", Text: expected(p, *candidate)}}
	p.Report(f)
}

func wrongPort(p *rule.Pass, endpoint, port int, who string) finding.Finding {
	ports := exposedTCP(p)
	names := make([]string, len(ports))
	for i, n := range ports {
		names[i] = strconv.Itoa(n)
	}
	fix := exposeFix(port, udpPorts(p))
	fix.Description = "expose only the port that the server listens on"
	return finding.Finding{
		Message: fmt.Sprintf("of the exposed ports %s, %s checks %d (%s), but %s listens on %d",
			strings.Join(names, " and "), platformName(p), endpoint, p.Target.Endpoint.ChosenBy, who, port),
		Place: finding.Place{Field: finding.FieldExpose, Words: strconv.Itoa(endpoint)},
		Fix:   fix,
	}
}
