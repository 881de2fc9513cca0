package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// StatusRefused reports a server that answers the health check with an HTTP
// status that the platform does not accept.
//
// Why it fails: some checks take any answer, others want 200 and nothing else
// (Aptible with --strict-health-checks asks GET /healthcheck and wants 200).
//
// Fix: answer the checked path with an accepted status, without a redirect
// and without a login.
var StatusRefused = &rule.Rule{
	ID:       "status-refused",
	Title:    "answers with a status that the platform refuses",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, HostRefused, HTTPSRedirect},
	Check:    checkStatusRefused,
}

func checkStatusRefused(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || passed(p) || p.Run.Exit != nil {
		return
	}
	answer, ok := lastOutside(p, endpoint)
	if !ok || answer.Class != facts.ClassHTTP || p.Target.Probe.Accepts(answer.Status) {
		return
	}
	text := fmt.Sprintf("%s %s answered %d", p.Target.Probe.Method, p.Target.Probe.Path, answer.Status)
	if answer.Followed != "" {
		text = fmt.Sprintf("%s %s led to %s, which answered %d", p.Target.Probe.Method, p.Target.Probe.Path, clip(answer.Followed, 120), answer.Status)
	}
	if answer.Location != "" {
		text += " → " + clip(answer.Location, 120)
	}
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("%s is answered with status %d, and %s accepts only %s", p.Target.Probe.Path, answer.Status, platformName(p), accepted(p.Target.Probe)),
		Place:    where(p),
		Evidence: []finding.Evidence{{Kind: "seen", At: answer.Asked.Seconds(), Text: text}},
		Fix:      &finding.Fix{Description: fmt.Sprintf("make %s answer %s without a redirect or a login", p.Target.Probe.Path, accepted(p.Target.Probe))},
	})
}

func accepted(probe facts.Probe) string {
	text := ""
	for i, r := range probe.Accept {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(r.From)
		if r.To != r.From {
			text += fmt.Sprintf("-%d", r.To)
		}
	}
	return text
}
