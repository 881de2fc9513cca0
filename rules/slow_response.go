package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// SlowResponse reports a server that accepts the health check's connection
// and does not answer, or answers its first request very slowly.
//
// Why it fails: an open port is not an answer. The kernel accepts connections
// for a program that is still loading, is stuck, or waits for something else
// (a database, another service).
//
// Fix: make GET / answer at once; do slow work after the start or in the
// background. The evidence tells how many connections were waiting: many
// waiting means that the program does not accept them at all.
var SlowResponse = &rule.Rule{
	ID:       "slow-response",
	Title:    "accepts the request and does not answer in time",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, NotHTTP, TLSOnPort, GunicornWorkerTimeout},
	Check:    checkSlowResponse,
}

// slowAnswer is the time that Aptible's run-time check gives each request; it
// takes a container that misses it three times out of service. (Its release
// check's own limit for one request is not documented.)
const slowAnswer = facts.Millis(15_000)

func checkSlowResponse(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if endpoint == 0 || p.Run.Exit != nil {
		return
	}
	if passed(p) {
		reportSlowAnswer(p, endpoint)
		return
	}
	here := public(on(tcp(p), endpoint))
	if len(here) == 0 {
		return
	}
	if answer, ok := lastOutside(p, endpoint); ok && answer.Class != facts.ClassSilent && answer.Class != facts.ClassRefused && answer.Class != facts.ClassFailed {
		return
	}
	l := here[0]
	f := finding.Finding{
		Message:  fmt.Sprintf("%s accepts connections on port %d but did not answer a request within %s", owner(p, l), endpoint, seconds(p.Run.Took-l.Opened)),
		Place:    where(p),
		Evidence: append([]finding.Evidence{sight(p, l)}, logTail(p, 3)...),
		Fix:      &finding.Fix{Description: fmt.Sprintf("make GET %s answer at once, without waiting for other services", p.Target.Probe.Path)},
	}
	p.Report(f)
}

func reportSlowAnswer(p *rule.Pass, endpoint int) {
	e, _ := p.Run.Passed(endpoint, p.Target.Probe)
	if e.Answer.Took < slowAnswer {
		return
	}
	p.Report(finding.Finding{
		Severity: finding.Warning,
		Message:  fmt.Sprintf("the first request to port %d took %s to answer", endpoint, seconds(e.Answer.Took)),
		Place:    where(p),
		Evidence: []finding.Evidence{{Kind: "seen", At: e.T.Seconds(), Text: fmt.Sprintf("%s %s, asked at %s", e.Answer.To, came(e.Answer), seconds(e.Answer.Asked))}},
		Fix:      &finding.Fix{Description: fmt.Sprintf("make GET %s answer at once; do slow work before listening or in the background", p.Target.Probe.Path)},
	})
}
