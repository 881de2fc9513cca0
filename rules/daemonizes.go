package rules

import (
	"cmp"
	"fmt"
	"path"
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
// there is what it put in the background. A session of its own tells a program
// that detached itself from one that a shell put behind an &, and a program
// that ends in the background is told from one that works there.
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
	if p.Run == nil {
		predictDaemonizes(p)
		return
	}
	if p.Run.Exit == nil || p.Run.Exit.Code != 0 || !ran(p) {
		return
	}
	left := leftBehind(p)
	switch {
	case len(left.lasting) > 0:
		reportSurvivors(p, left)
	case len(left.killed) > 0:
		reportKilled(p, left.killed)
	case len(left.died) > 0:
		reportDied(p, left.died)
	case p.Launch.Ends != "" && len(p.Launch.Background) > 0 && certain(p):
		reportShell(p, finding.Finding{Evidence: append(exitedZero(p), leftEvidence(p)...)}, path.Base(p.Launch.Background[0].Name()))
	case p.Prediction.Daemonizes == facts.Yes && p.Wrapped == nil:
		reportDaemonizes(p, finding.Finding{Evidence: exitedZero(p)})
	}
}

func predictDaemonizes(p *rule.Pass) {
	switch {
	case !certain(p):
	case p.Launch.Ends != "" && len(p.Launch.Background) > 0:
		p.Report(finding.Finding{
			Message: fmt.Sprintf("nothing stays in the foreground: %s, and the container ends with it", p.Launch.Ends),
			Place:   where(p),
			Fix:     remedyOr(p, withoutAmpersand),
		})
	case p.Prediction.Daemonizes == facts.Yes:
		reportDaemonizes(p, finding.Finding{})
	case p.Prediction.Hint != "" && p.Launch.Ends == "":
		p.Report(finding.Finding{
			Severity: finding.Note, Basis: finding.Predicted,
			Message: fmt.Sprintf("%s may put itself in the background, and the container would end: %s", path.Base(p.Launch.Command.Name()), p.Prediction.Hint),
			Place:   where(p),
			Fix:     &finding.Fix{Description: "look for its option that keeps it in the foreground, unless it stays there anyway"},
		})
	}
}

const withoutAmpersand = "remove the & so that the shell waits for the server"

// How long a process must outlive the first one to count as a daemon rather
// than as something that was ending too, and within what time a signal that
// ends it belongs to the end of the first one.
const (
	lasting  = 2000
	together = 500
)

// stopping are the signals that an init or a shell ends others with.
var stopping = []string{"SIGTERM", "SIGHUP", "SIGKILL"}

// left is what the wrapped run's command left behind.
type left struct {
	lasting []facts.Process
	// killed and died are those in a session of their own that did not last: by
	// a signal as the command ended (dumb-init sends one to its group, which a
	// daemon in the making still belongs to), and by themselves.
	killed, died []facts.Process
	session      int // the command's own
}

func leftBehind(p *rule.Pass) left {
	var l left
	if p.Wrapped == nil {
		return l
	}
	if e, ok := p.Wrapped.Executed(); ok {
		l.session = e.PID
	}
	for _, s := range p.Wrapped.Survivors {
		switch {
		case s.Alive >= lasting:
			l.lasting = append(l.lasting, s)
		case s.Exit != nil && slices.Contains(stopping, s.Exit.Signal) && s.Alive < together:
			l.killed = append(l.killed, s)
		case s.SID != l.session:
			l.died = append(l.died, s)
		}
	}
	return l
}

// reportSurvivors tells a program that detached itself from one that a shell
// put behind an &, which stays in the shell's session. Its stdin tells
// nothing: a shell gives /dev/null to what it puts behind an & too.
func reportSurvivors(p *rule.Pass, l left) {
	names := namesOf(l.lasting)
	text := fmt.Sprintf("started again under a process that stays, %s lived on after the command had ended", strings.Join(names, ", "))
	if l := listensIn(p.Wrapped); l != "" {
		text += " and listened on " + l
	}
	f := finding.Finding{Evidence: append(exitedZero(p), finding.Evidence{Kind: "seen", Text: text})}
	own := slices.IndexFunc(l.lasting, func(s facts.Process) bool { return s.SID != l.session })
	if own < 0 {
		reportShell(p, f, names[0])
		return
	}
	s := l.lasting[own]
	f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", Text: fmt.Sprintf("%s is in a session of its own (%d, the command's was %d), its stdin %s", processName(s.Argv), s.SID, l.session, cmp.Or(s.FD0, "closed"))})
	reportDaemonizes(p, f)
}

// reportKilled is for a daemon that the container's init took along.
func reportKilled(p *rule.Pass, killed []facts.Process) {
	s := killed[0]
	reportDaemonizes(p, finding.Finding{Evidence: append(exitedZero(p), finding.Evidence{
		Kind: "seen", At: s.Exit.T.Seconds(),
		Text: fmt.Sprintf("started again under a process that stays, %s was still there when the command ended, and was killed by %s together with it", processName(s.Argv), s.Exit.Signal),
	})})
}

// reportDied is for a program that went to the background and ended there.
func reportDied(p *rule.Pass, died []facts.Process) {
	f := finding.Finding{
		Message:  fmt.Sprintf("%s puts itself in the background, where it ends at once, and says so to nobody", program(p)),
		Place:    where(p),
		Evidence: append(exitedZero(p), leftEvidence(p)...),
		Fix:      remedyOr(p, inForeground(p)),
	}
	f.Fix.Description += "; then its log tells why it ends"
	f.Evidence = append(f.Evidence, logTail(p, 3)...)
	p.Report(f)
}

// leftEvidence says what became of the processes that did not last, of each
// program the one whose end is known.
func leftEvidence(p *rule.Pass) []finding.Evidence {
	if p.Wrapped == nil {
		return nil
	}
	known := slices.Clone(p.Wrapped.Survivors)
	slices.SortStableFunc(known, func(a, b facts.Process) int { return compareNil(a.Exit, b.Exit) })
	var all []finding.Evidence
	for _, name := range namesOf(known) {
		s := known[slices.IndexFunc(known, func(s facts.Process) bool { return processName(s.Argv) == name })]
		text := fmt.Sprintf("started again under a process that stays, %s lived on for %s", name, seconds(s.Alive))
		if s.Exit != nil {
			text += " and exited with " + status(s.Exit)
		}
		all = append(all, finding.Evidence{Kind: "seen", Text: text})
	}
	return all[:min(3, len(all))]
}

// compareNil puts nil last.
func compareNil(a, b *facts.Exit) int {
	switch {
	case a == nil && b != nil:
		return 1
	case a != nil && b == nil:
		return -1
	}
	return 0
}

func namesOf(processes []facts.Process) []string {
	var names []string
	for _, s := range processes {
		if name := processName(s.Argv); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func reportShell(p *rule.Pass, f finding.Finding, name string) {
	f.Message = fmt.Sprintf("the shell starts %s in the background and ends, and the container ends with it", name)
	f.Place = where(p)
	f.Fix = remedyOr(p, withoutAmpersand)
	p.Report(f)
}

func reportDaemonizes(p *rule.Pass, f finding.Finding) {
	f.Message = fmt.Sprintf("%s puts itself in the background, and the container exits with the process that started it", program(p))
	if p.Prediction.Daemonizes == facts.Yes {
		f.Detail = p.Prediction.DaemonWhy
	}
	if strings.HasSuffix(f.Detail, "default") {
		f.Detail += " is to run in the background"
	}
	f.Place = where(p)
	f.Fix = remedyOr(p, inForeground(p))
	if file, line, ok := fileLine(f.Detail); ok && len(p.Prediction.FixForeground) > 0 && p.Prediction.FixForeground[0].At == f.Detail {
		f.Place = finding.Place{Field: f.Place.Field, Path: file, Line: line, Words: "daemon"}
	}
	if argv := p.Launch.Argv; f.Detail == "" && len(argv) > 0 && path.Base(argv[0]) == "setsid" {
		// It forks from the leader of a process group, which PID 1 is.
		f.Message = fmt.Sprintf("setsid puts %s in the background, because it is the container's first process, and the container exits with it", program(p))
		f.Place = first(p)
		f.Fix = withoutSetsid(p)
	}
	p.Report(f)
}

func inForeground(p *rule.Pass) string {
	return fmt.Sprintf("start %s in the foreground (see its manual for an option such as --foreground or --no-daemon)", program(p))
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

// withoutSetsid starts the program itself, where setsid has no options.
func withoutSetsid(p *rule.Pass) *finding.Fix {
	fix := &finding.Fix{Description: "leave setsid out: the first process of a container leads a session of its own anyway"}
	if cmd := p.Image.Config.Cmd; len(p.Image.Config.Entrypoint) == 0 && len(cmd) > 1 && !strings.HasPrefix(cmd[1], "-") {
		fix.Instruction, fix.Change = "CMD "+jsonWords(cmd[1:]), finding.Change{Cmd: cmd[1:]}
	}
	return fix
}
