package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// StopSignalIgnored reports a first process that does nothing when the
// platform asks the container to stop.
//
// Why it fails: every release stops the old containers with SIGTERM, or the
// image's STOPSIGNAL. For PID 1 the kernel drops a signal that has no handler,
// and a shell neither ends by it nor passes it on while its command runs. The
// platform waits for its whole grace time and kills: requests fail in the
// middle, and each deploy takes longer.
//
// Fix: start the program with exec, or in exec form, so that it is PID 1 and
// not a shell's child; a program without a handler gets one, an init in front
// of it such as tini, or the STOPSIGNAL that it does handle. imglint reads the
// handlers of PID 1 once the health check is answered; where they do not tell,
// it sends the signal.
var StopSignalIgnored = &rule.Rule{
	ID:       "stop-signal-ignored",
	Title:    "the stop signal does not reach the program, or does not move it",
	Severity: finding.Note,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{BackgroundProcess, DevelopmentServer},
	Check:    checkStopSignalIgnored,
}

func checkStopSignalIgnored(p *rule.Pass) {
	e, ok := p.Run.LastSignals()
	name, number := p.Image.Config.Stopping()
	if !ok || !passed(p) || !deaf(p, e, name, number) {
		return
	}
	f := finding.Finding{Place: first(p), Evidence: []finding.Evidence{handlers(p, e, name, number)}}
	if shell := e.ShellName(); shell != "" {
		if scriptOf(e.Argv) == "" || p.Launch.Spot != nil {
			f.Place = where(p)
		}
		f.Message = fmt.Sprintf("%s is PID 1 in front of %s and does not pass %s on: a stop takes %s and ends in SIGKILL", shell, program(p), name, graceTime(p))
		f.Fix = execFix(p, e)
	} else {
		f.Message = fmt.Sprintf("%s is PID 1 and %s: a stop takes %s and ends in SIGKILL", processName(e.Argv), unmoved(e, name, number), graceTime(p))
		f.Fix = handlerFix(e, name)
	}
	p.Report(f)
}

// deaf reports whether PID 1 certainly does nothing about the signal.
func deaf(p *rule.Pass, e facts.Event, name string, number int) bool {
	if e.Heeds(number) == facts.Unknown {
		try := p.Run.StopTry
		return try != nil && try.Signal == name && !try.Moved
	}
	return e.Heeds(number) == facts.No
}

func unmoved(e facts.Event, name string, number int) string {
	switch {
	case e.Signals.Ignored.Has(number):
		return "ignores " + name
	case e.Heeds(number) == facts.No:
		return "has no handler for " + name + ", which the kernel then drops"
	}
	return "did nothing when it got " + name
}

func graceTime(p *rule.Pass) string {
	if p.Target.StopGrace == 0 {
		return "the whole grace time"
	}
	return "the whole " + seconds(facts.ToMillis(p.Target.StopGrace))
}

// handlers is what was seen of PID 1, or done to it.
func handlers(p *rule.Pass, e facts.Event, name string, number int) finding.Evidence {
	text := fmt.Sprintf("pid %d %s", e.PID, commandLine(e.Argv))
	switch {
	case e.Heeds(number) == facts.Unknown:
		text += fmt.Sprintf(" got %s: nothing ended, closed or was logged for %s", name, seconds(p.Run.StopTry.Took))
	case e.Signals.Ignored.Has(number):
		text += fmt.Sprintf(" ignores %s (SigIgn %016x)", name, uint64(e.Signals.Ignored))
	default:
		text += fmt.Sprintf(" does not catch %s (SigCgt %016x)", name, uint64(e.Signals.Caught))
	}
	return finding.Evidence{Kind: "seen", At: e.T.Seconds(), Text: text}
}

// execFix starts the program in the shell's place.
func execFix(p *rule.Pass, e facts.Event) *finding.Fix {
	command := commandLine(p.Launch.Command.Words())
	script := scriptOf(e.Argv)
	switch {
	case strings.HasPrefix(script, "/usr/") && !strings.HasPrefix(script, "/usr/src/") && !strings.HasPrefix(script, "/usr/local/"):
		return &finding.Fix{Description: fmt.Sprintf("start %s itself instead of through %s, which belongs to a package", program(p), script)}
	case script != "":
		if fix := remedy(p.Launch.FixExec); fix != nil {
			return fix
		}
		return &finding.Fix{Description: fmt.Sprintf("in %s, start the program with exec: exec %s", script, command)}
	}
	fix := &finding.Fix{Description: "start the program with exec, so that it takes the shell's place"}
	instruction, change, ok := withExec(p)
	if ok {
		fix.Instruction, fix.Change = instruction, change
	}
	return fix
}

// scriptOf is the file that a shell reads its commands from, "" for -c.
func scriptOf(argv []string) string {
	for _, arg := range argv[min(1, len(argv)):] {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
		if !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") {
			return ""
		}
	}
	return ""
}

// withExec puts exec before the command in the instruction's script. It is
// not ok where that would change what runs: in a pipe, before &, or where
// more commands follow.
func withExec(p *rule.Pass) (instruction string, change finding.Change, ok bool) {
	origin, config := p.Launch.Command.Origin, p.Image.Config
	words := config.Cmd
	if origin.Field == finding.FieldEntrypoint {
		words = config.Entrypoint
	}
	if !certain(p) || origin.Index >= len(words) || origin.End > len(words[origin.Index]) || origin.End <= origin.Start {
		return "", change, false
	}
	script := words[origin.Index]
	rest := strings.TrimLeft(script[origin.End:], " ;\n")
	if rest != "" || strings.ContainsAny(script, "|(){`") || !strings.HasPrefix(script[origin.Start:], p.Launch.Command.Name()) {
		return "", change, false
	}
	edited := slices.Clone(words)
	edited[origin.Index] = script[:origin.Start] + "exec " + script[origin.Start:]
	change = finding.Change{Cmd: edited}
	if origin.Field == finding.FieldEntrypoint {
		change = finding.Change{Entrypoint: edited, Cmd: slices.Concat([]string{}, config.Cmd)}
	}
	if !slices.Equal(words[:len(words)-1], shellOf(config)) || strings.Contains(script, "\n") {
		return "", change, false
	}
	return fmt.Sprintf("%s %s", origin.Field, edited[origin.Index]), change, true
}

const sigInt = 2

// handlerFix makes a program without a handler stop.
func handlerFix(e facts.Event, name string) *finding.Fix {
	if name == "SIGTERM" && e.Signals.Caught.Has(sigInt) {
		return &finding.Fix{
			Description: "stop it with SIGINT, which " + path.Base(e.Path) + " does handle, or handle SIGTERM in the program",
			Instruction: "STOPSIGNAL SIGINT", Change: finding.Change{StopSignal: "SIGINT"},
		}
	}
	return &finding.Fix{Description: fmt.Sprintf("handle %s in the program, or start it behind an init: ENTRYPOINT [\"tini\", \"--\"]", name)}
}
