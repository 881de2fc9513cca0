package rules

import (
	"fmt"
	"slices"

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
// background. Where the program does not even accept the connection, the
// message says so and how many were waiting: what blocks is then not the
// request but the program's own loop, or its workers never started.
var SlowResponse = &rule.Rule{
	ID:       "slow-response",
	Title:    "accepts the request and does not answer in time",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, UnreachableDependency, NotHTTP, TLSOnPort, GunicornWorkerTimeout, PumaWorkerTimeout},
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
	l, within := here[0], seconds(p.Run.Took-here[0].Opened)
	f := finding.Finding{
		Message:  fmt.Sprintf("%s accepts connections on port %d but did not answer a request within %s", owner(p, l), endpoint, within),
		Place:    where(p),
		Evidence: []finding.Evidence{sight(p, l)},
		Fix:      &finding.Fix{Description: fmt.Sprintf("make GET %s answer at once, without waiting for other services", p.Target.Probe.Path)},
	}
	if e, ok := lastQueue(p, endpoint); ok {
		f.Message = fmt.Sprintf("%s listens on port %d and does not accept connections within %s: the kernel takes them, and they wait", owner(p, l), endpoint, within)
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", At: e.T.Seconds(), Text: fmt.Sprintf("%s in the queue of %s, and nobody accepted", connections(e.Socket.Queue), e.Socket.Address())})
		f.Fix.Description = "make the program accept connections as soon as it listens: something blocks before its server starts, or its workers did not start"
	}
	f.Evidence = append(f.Evidence, logTail(p, 3)...)
	p.Report(f)
}

// lastQueue is what was last seen of connections that nobody accepts, if there
// were any to the end, and from the first request on: a server that is busy
// with one that it took leaves the later ones waiting too.
func lastQueue(p *rule.Pass, port int) (facts.Event, bool) {
	taken := slices.ContainsFunc(p.Run.Answers(port), func(e facts.Event) bool {
		return e.Answer.Class != facts.ClassRefused && e.Answer.Class != facts.ClassFailed
	})
	first := slices.IndexFunc(p.Run.Events, func(e facts.Event) bool {
		return e.Kind == facts.EventQueue && e.Socket.Port == port || e.Kind == facts.EventAnswer && e.Answer.Port == port
	})
	if first < 0 || taken && p.Run.Events[first].Kind != facts.EventQueue {
		return facts.Event{}, false
	}
	for _, e := range slices.Backward(p.Run.Events) {
		if e.Kind == facts.EventQueue && e.Socket.Port == port {
			return e, e.Socket.Queue > 0
		}
	}
	return facts.Event{}, false
}

func connections(n int) string {
	if n == 1 {
		return "1 connection waited"
	}
	return fmt.Sprintf("%d connections waited", n)
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
