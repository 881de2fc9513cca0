package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UDPOnlyExpose reports an image whose exposed ports are all UDP.
//
// Why it fails: the health check is an HTTP request, which travels over TCP;
// the platform finds no TCP port to send it to. Usually "/udp" was copied
// from another line.
//
// Fix: expose the TCP port as well: EXPOSE 8000.
var UDPOnlyExpose = &rule.Rule{
	ID:       "udp-only-expose",
	Title:    "only UDP ports are exposed",
	Severity: finding.Error,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{NoCommand},
	Check:    checkUDPOnlyExpose,
}

func checkUDPOnlyExpose(p *rule.Pass) {
	ports := p.Image.Config.Exposed
	if p.Target.Endpoint.Port != 0 || p.Target.Endpoint.Named || len(ports) == 0 || len(exposedTCP(p)) > 0 {
		return
	}
	names := make([]string, len(ports))
	for i, port := range ports {
		names[i] = port.String()
	}
	f := finding.Finding{
		Basis:   finding.Predicted,
		Message: fmt.Sprintf("the image exposes only %s, and %s sends its health check over TCP", strings.Join(names, ", "), platformName(p)),
		Place:   finding.Place{Field: finding.FieldExpose, Words: names[0]},
		Fix:     &finding.Fix{Description: fmt.Sprintf("expose the TCP port that your server listens on, for example EXPOSE %d", ports[0].Number)},
	}
	exposeListener(p, &f, ports)
	p.Report(f)
}
