package rules

import (
	"fmt"
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

func shellForm(p *rule.Pass) *finding.Fix {
	fix := &finding.Fix{Description: "use the shell form, so that a shell replaces the variable"}
	config := p.Image.Config
	if len(config.Entrypoint) > 0 && len(config.Cmd) > 0 {
		return fix
	}
	words := make([]string, len(p.Launch.Argv))
	for i, w := range p.Launch.Argv {
		words[i] = shellQuote(w)
		if strings.Contains(w, "$") {
			words[i] = `"` + strings.ReplaceAll(w, `"`, `\"`) + `"`
		}
	}
	line := "exec " + strings.Join(words, " ")
	shell := []string{"/bin/sh", "-c", line}
	if len(config.Entrypoint) > 0 {
		fix.Instruction, fix.Change = "ENTRYPOINT "+line, finding.Change{Entrypoint: shell}
		return fix
	}
	fix.Instruction, fix.Change = "CMD "+line, finding.Change{Cmd: shell}
	return fix
}
