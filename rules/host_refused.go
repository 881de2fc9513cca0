package rules

import (
	"fmt"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// HostRefused reports a server that refuses the health check's Host header and
// answers the same request with Host: localhost.
//
// Why it fails: the platform asks with a Host header of its own, which is not
// the name of your site. A list of allowed hosts (Django's ALLOWED_HOSTS,
// Rails' config.hosts) answers it with 400 or 403.
//
// Fix: allow the host that the platform sends, or leave the checked path out
// of the list.
var HostRefused = &rule.Rule{
	ID:       "host-refused",
	Title:    "refuses the Host header of the health check",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkHostRefused,
}

func checkHostRefused(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || p.Run.Exit != nil {
		return
	}
	refused, ok := lastOutside(p, endpoint)
	if !ok || refused.Class != facts.ClassHTTP || !slices.Contains([]int{400, 403, 421}, refused.Status) {
		return
	}
	inside, ok := lastInside(p, endpoint)
	if !ok || inside.Class != facts.ClassHTTP || inside.Status >= 400 {
		return
	}
	host := p.Target.Probe.Host
	if host == "" {
		host = fmt.Sprintf("%s:%d", refused.To, endpoint)
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s is answered with %d when the Host header is %s, as %s sends it, and with %d when it is localhost", p.Target.Probe.Path, refused.Status, host, platformName(p), inside.Status),
		Place:   where(p),
		Evidence: []finding.Evidence{{Kind: "seen", At: refused.Asked.Seconds(),
			Text: fmt.Sprintf("Host: %s answered %d · Host: localhost answered %d", host, refused.Status, inside.Status)}},
		Fix: &finding.Fix{Description: "allow the host " + hostName(p) + " (Django: ALLOWED_HOSTS, Rails: config.hosts), or leave " + p.Target.Probe.Path + " out of the check"},
	}
	if passed(p) {
		f.Severity = finding.Note
		f.Message += "; " + platformName(p) + " takes any status"
	}
	p.Report(f)
}

// hostName is what has to be allowed.
func hostName(p *rule.Pass) string {
	if p.Target.Probe.Host != "" {
		return p.Target.Probe.Host
	}
	return "of the container's own address"
}

func lastInside(p *rule.Pass, port int) (*facts.Answer, bool) {
	for _, e := range slices.Backward(p.Run.Answers(port)) {
		if e.Answer.Loopback() {
			return e.Answer, true
		}
	}
	return nil, false
}
