package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// NeverListens reports a container that stayed alive for the whole boot
// window without listening on any TCP port.
//
// Why it fails: there is nothing to connect to. The program may be a worker
// rather than a server, may serve a unix socket only, or may still be waiting
// for something (a database, a download) when the platform gives up.
//
// Fix: make the program listen on the exposed port. A worker needs no
// endpoint: give the service none.
var NeverListens = &rule.Rule{
	ID:       "never-listens",
	Title:    "nothing listens when the boot window ends",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, UnexpandedVariable, InteractiveCommand, Daemonizes, OutOfMemory, PrivilegedPort, MissingEnvironment, UnreachableDependency, ExitsAtOnce, GunicornWorkerTimeout, PumaWorkerTimeout, SlowBoot},
	Check:    checkNeverListens,
}

func checkNeverListens(p *rule.Pass) {
	if p.Run == nil {
		predictNeverListens(p)
		return
	}
	if p.Run.Exit != nil || passed(p) || len(tcp(p)) > 0 || !ran(p) {
		return
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s runs, but nothing listened on any TCP port within %s", program(p), seconds(p.Run.Took)),
		Place:   where(p),
		Fix:     &finding.Fix{Description: "make the program listen on the exposed port; if it is a worker, it needs no endpoint"},
	}
	if !started(p) {
		f.Message = fmt.Sprintf("%s was not started within %s: the container still runs what comes before it", program(p), seconds(p.Run.Took))
		f.Fix = &finding.Fix{Description: "do less before it, or nothing that may wait for ever"}
	}
	if sockets := unixSockets(p); len(sockets) > 0 {
		f.Message = fmt.Sprintf("%s listens on a unix socket only (%s), which the platform cannot reach", program(p), strings.Join(sockets, ", "))
		f.Fix = &finding.Fix{Description: "make it listen on a TCP port, or put a web server such as nginx in front of it in the same image"}
		if fix := remedy(p.Prediction.FixPublic); fix != nil {
			f.Fix = fix
		}
	}
	f.Evidence = append(running(p), logTail(p, 5)...)
	p.Report(f)
}

func unixSockets(p *rule.Pass) []string {
	var paths []string
	for _, l := range p.Run.Open() {
		if l.Network == "unix" {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

// running names the last process that was seen to start.
func running(p *rule.Pass) []finding.Evidence {
	var last *facts.Event
	for i, e := range p.Run.Events {
		if e.Kind == facts.EventProcess && len(e.Process.Argv) > 0 {
			last = &p.Run.Events[i]
		}
	}
	if last == nil {
		return nil
	}
	return []finding.Evidence{{Kind: "seen", At: last.T.Seconds(), Text: fmt.Sprintf("pid %d runs %s", last.Process.PID, commandLine(last.Process.Argv))}}
}

func predictNeverListens(p *rule.Pass) {
	if !certain(p) || !p.Prediction.Complete || p.Launch.Ends != "" || p.Prediction.Ends != "" || p.Prediction.Interactive != "" {
		return
	}
	if p.Prediction.Daemonizes == facts.Yes || len(predictedTCP(p)) > 0 || len(p.Launch.Background) > 0 {
		return
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s listens on no TCP port", program(p)),
		Place:   where(p),
		Fix:     remedy(p.Prediction.FixPublic),
	}
	for _, l := range p.Prediction.Listens {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "read", Text: expected(p, l)})
	}
	p.Report(f)
}
