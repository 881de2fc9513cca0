package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UnexpandedVariable reports a variable such as $PORT in an exec-form CMD or
// ENTRYPOINT, where no shell expands it.
//
// Why it fails: the program gets the five characters "$PORT" instead of a
// number, and refuses to start or listens nowhere useful.
//
// Fix: write the command in shell form with exec, or run it through
// ["sh", "-c", "exec …"].
var UnexpandedVariable = &rule.Rule{
	ID:       "unexpanded-variable",
	Title:    "a variable in exec form reaches the program literally",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable},
	Check:    checkUnexpandedVariable,
}

func checkUnexpandedVariable(p *rule.Pass) {
	word, ok := literalWord(p.Launch.Command.Argv)
	if !ok || passed(p) || p.Run != nil && !blames(p, word) {
		return
	}
	severity := finding.Error
	if p.Run == nil && p.Prediction.Daemonizes == facts.Unknown {
		severity = finding.Warning // a program of unknown ways may expand it itself
	}
	f := finding.Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s gets %q as it stands: in exec form (with brackets) no shell replaces $%s", program(p), word.Text, word.Literal[0]),
		Place:    where(p),
		Fix:      shellForm(p),
	}
	f.Place.Words = word.Text
	if p.Run != nil {
		f.Evidence = logTail(p, 3)
		if exit := p.Run.Exit; exit != nil {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", At: exit.T.Seconds(), Text: fmt.Sprintf("the container exited with code %d", exit.Code)})
		}
	}
	p.Report(f)
}

func literalWord(words []facts.Word) (facts.Word, bool) {
	for _, w := range words {
		if len(w.Literal) > 0 {
			return w, true
		}
	}
	return facts.Word{}, false
}

// blames reports whether a failed run is explained by the word: it exited, or
// the log quotes the variable, or nothing listens.
func blames(p *rule.Pass, word facts.Word) bool {
	if p.Run.Exit != nil {
		return p.Run.Exit.Code != 0
	}
	for _, line := range p.Run.Log.Lines {
		if strings.Contains(line.Text, word.Literal[0]) {
			return true
		}
	}
	return len(tcp(p)) == 0
}

// shellForm lets a shell replace the variable. Behind an entrypoint that runs
// CMD's words, such as an init, the shell stands in CMD.
func shellForm(p *rule.Pass) *finding.Fix {
	fix := &finding.Fix{Description: "use the shell form, so that a shell replaces the variable"}
	config, origin := p.Image.Config, p.Launch.Command.Origin
	words, field := p.Launch.Argv, finding.FieldCmd
	switch {
	case len(config.Entrypoint) == 0:
	case len(config.Cmd) == 0:
		field = finding.FieldEntrypoint
	case origin.Field == finding.FieldCmd && origin.Index == 0 && origin.End == 0 && certain(p):
		words = config.Cmd
	default:
		return fix
	}
	line := "exec " + expanding(words)
	shell := append(slices.Clone(shellOf(config)), line)
	fix.Instruction, fix.Change = string(field)+" "+line, finding.Change{Cmd: shell}
	if field == finding.FieldEntrypoint {
		fix.Change = finding.Change{Entrypoint: shell}
	}
	return fix
}

// expanding is a command line in which a shell replaces the variables.
func expanding(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellQuote(w)
		if strings.Contains(w, "$") {
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(w) + `"`
		}
	}
	return strings.Join(quoted, " ")
}
