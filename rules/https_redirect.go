package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// HTTPSRedirect reports a server that redirects the health check to https.
//
// Why it fails: the platform asks over plain HTTP, because TLS ends at its
// edge. Where it accepts only 200, or 2xx, a redirect is a failure; nothing in
// the container answers https.
//
// Fix: redirect by X-Forwarded-Proto, which the edge sets, or leave the
// checked path out of it (Django: SECURE_REDIRECT_EXEMPT, Rails:
// ssl_options).
var HTTPSRedirect = &rule.Rule{
	ID:       "https-redirect",
	Title:    "redirects the health check to https",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkHTTPSRedirect,
}

func checkHTTPSRedirect(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || passed(p) || p.Run.Exit != nil {
		return
	}
	a, ok := lastOutside(p, endpoint)
	if !ok || a.Class != facts.ClassHTTP || a.Status < 300 || a.Status > 399 || !strings.HasPrefix(strings.ToLower(a.Location), "https://") {
		return
	}
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("%s is redirected to https (%d), and %s accepts only %s", p.Target.Probe.Path, a.Status, platformName(p), p.Target.Probe.Accepted()),
		Place:    where(p),
		Evidence: []finding.Evidence{{Kind: "seen", At: a.Asked.Seconds(), Text: fmt.Sprintf("%s %s answered %d → %s", p.Target.Probe.Method, p.Target.Probe.Path, a.Status, clip(a.Location, 120))}},
		Fix:      &finding.Fix{Description: "answer " + p.Target.Probe.Path + " without the redirect, or redirect only when X-Forwarded-Proto is http"},
	})
}
