package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UnservedPort reports a port in a Kubernetes or Compose file that nobody in
// the container listens on.
//
// Why it fails: the file sends requests there (containerPort by the name that
// a Service uses, ports of a Compose service), and the connection is refused.
// The health check itself may go to another port and pass.
//
// Fix: name the port that the program listens on in the file.
var UnservedPort = &rule.Rule{
	ID:       "unserved-port",
	Title:    "a manifest names a port that nobody listens on",
	Severity: finding.Warning,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, UnexposedPort, NeverListens},
	Check:    checkUnservedPort,
}

func checkUnservedPort(p *rule.Pass) {
	if p.Workload == nil || p.Run.Exit != nil {
		return
	}
	listeners := tcp(p)
	for _, port := range p.Workload.Ports {
		if port.Number == p.Target.Endpoint.Port || len(on(listeners, port.Number)) > 0 {
			continue
		}
		f := finding.Finding{
			Message: fmt.Sprintf("nobody in the container listens on port %d, which %s names", port.Number, p.Workload.Title),
			Place:   port.Place,
			Fix:     &finding.Fix{Description: "name the port that the program listens on"},
		}
		if l, ok := answering(p, public(listeners)); ok {
			f.Evidence = []finding.Evidence{sight(p, l)}
			f.Fix.Description = fmt.Sprintf("change it to %d, where %s listens", l.Port, owner(p, l))
		}
		p.Report(f)
	}
}
