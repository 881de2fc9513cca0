package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// Daemonizes reports a program that puts itself in the background, or that
// the container's shell puts there: the container's first process ends, and
// with it the container.
//
// Why it fails: a container lives as long as its first process. Servers that
// were made for init scripts fork and let the first process end; the engine
// then kills what they left behind.
//
// imglint proves it: the image is started as it is, and only if it exits with
// code 0 a second time under a process that stays; what outlives the command
// there is what it put in the background.
//
// Fix: run the server in the foreground (nginx -g 'daemon off;', apache2ctl
// -D FOREGROUND, redis-server --daemonize no, no trailing &).
var Daemonizes = &rule.Rule{
	ID:       "daemonizes",
	Title:    "the program goes to the background and the container exits",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, UnexpandedVariable, InteractiveCommand},
	Check:    checkDaemonizes,
}

func checkDaemonizes(p *rule.Pass) {
	switch {
	case p.Run == nil:
		predictDaemonizes(p)
	case p.Run.Exit == nil || p.Run.Exit.Code != 0 || !ran(p):
	case len(survivors(p)) > 0:
		reportSurvivors(p, survivors(p))
	case p.Prediction.Daemonizes == facts.Yes && (p.Wrapped == nil || len(p.Wrapped.Survivors) > 0):
		reportDaemonizes(p, finding.Finding{Evidence: exitedZero(p)}, p.Prediction.DaemonWhy)
	}
}

func predictDaemonizes(p *rule.Pass) {
	switch {
	case !certain(p):
	case p.Launch.Ends != "" && len(p.Launch.Background) > 0:
		p.Report(finding.Finding{
			Message: fmt.Sprintf("nothing stays in the foreground: %s, and the container ends with it", p.Launch.Ends),
			Place:   where(p),
			Fix:     remedyOr(p, "remove the & so that the shell waits for the server"),
		})
	case p.Prediction.Daemonizes == facts.Yes:
		reportDaemonizes(p, finding.Finding{}, p.Prediction.DaemonWhy)
	}
}

// lasting is how long a process must outlive the first one to count as a
// daemon rather than as something that was ending too.
const lasting = 2000

func survivors(p *rule.Pass) []facts.Process {
	if p.Wrapped == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Wrapped.Survivors), func(s facts.Process) bool { return s.Alive < lasting })
}

// reportSurvivors tells a program that detached itself from one that a shell
// put behind an &: the former leads a session of its own.
func reportSurvivors(p *rule.Pass, left []facts.Process) {
	f := finding.Finding{Evidence: exitedZero(p)}
	var names []string
	for _, s := range left {
		if name := processName(s.Argv); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	text := fmt.Sprintf("started again under a process that stays, %s lived on after the command had ended", strings.Join(names, ", "))
	if l := listensIn(p.Wrapped); l != "" {
		text += " and listened on " + l
	}
	f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", Text: text})
	if slices.ContainsFunc(left, func(s facts.Process) bool { return s.SID == s.PID || s.FD0 == "/dev/null" }) {
		reportDaemonizes(p, f, p.Prediction.DaemonWhy)
		return
	}
	f.Message = fmt.Sprintf("the shell starts %s in the background and ends, and the container ends with it", names[0])
	f.Place = where(p)
	f.Fix = remedyOr(p, "remove the & so that the shell waits for the server")
	p.Report(f)
}

func reportDaemonizes(p *rule.Pass, f finding.Finding, why string) {
	f.Message = fmt.Sprintf("%s puts itself in the background, and the container exits with the process that started it", program(p))
	if f.Detail = why; strings.HasSuffix(why, "default") {
		f.Detail += " is to run in the background"
	}
	f.Place = where(p)
	f.Fix = remedyOr(p, fmt.Sprintf("start %s in the foreground (see its manual for an option such as --foreground or --no-daemon)", program(p)))
	p.Report(f)
}

func remedyOr(p *rule.Pass, otherwise string) *finding.Fix {
	if fix := remedy(p.Prediction.FixForeground); fix != nil {
		return fix
	}
	return &finding.Fix{Description: otherwise}
}

func exitedZero(p *rule.Pass) []finding.Evidence {
	return []finding.Evidence{{Kind: "seen", At: p.Run.Exit.T.Seconds(), Text: "the container exited with code 0"}}
}

func listensIn(r *facts.Run) string {
	var addresses []string
	for _, l := range r.Open() {
		if l.Network == "tcp" && !slices.Contains(addresses, l.Address()) {
			addresses = append(addresses, l.Address())
		}
	}
	return strings.Join(addresses, ", ")
}
