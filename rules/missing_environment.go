package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// MissingEnvironment reports a container that ended because an environment
// variable that it wants was not set.
//
// Why it fails: the program stops before it listens. On the platform the same
// happens when the variable was not configured there; here it only has what
// the image and -e give it.
//
// Fix: configure the variable on the platform, and give imglint the same one
// with -e to see whether the rest works.
var MissingEnvironment = &rule.Rule{
	ID:       "missing-environment",
	Title:    "ended for want of an environment variable",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{NoCommand, CommandNotFound, CommandNotExecutable, WrongArchitecture, UnexpandedVariable, InteractiveCommand, OutOfMemory},
	Check:    checkMissingEnvironment,
}

func checkMissingEnvironment(p *rule.Pass) {
	if passed(p) || p.Run.Exit == nil && len(tcp(p)) > 0 {
		return
	}
	m, ok := mentioned(patterns().Environment, p.Run.Log.Lines)
	if !ok {
		return
	}
	name := m.variable()
	state := "which is not set"
	if slices.ContainsFunc(p.Launch.Command.Env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") }) {
		state = "and does not take its value"
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s wants the environment variable %s, %s", program(p), name, state),
		Place:   where(p),
		Evidence: []finding.Evidence{
			{Kind: "log", Text: clip(m.line.Text, 300), At: m.line.T.Seconds()},
		},
		Fix: &finding.Fix{Description: fmt.Sprintf("set it on the platform%s, and try here with: imglint -e %s=… %s", configCommand(p, name), name, shellQuote(p.Image.Ref))},
	}
	if exit := p.Run.Exit; exit != nil {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", At: exit.T.Seconds(), Text: "the container exited with " + status(exit)})
	}
	p.Report(f)
}

// configCommand is what to type there, where that is known.
func configCommand(p *rule.Pass, name string) string {
	if p.Target.Platform != "aptible" {
		return ""
	}
	return " (aptible config:set " + name + "=…)"
}
