package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// EntrypointDropsCommand reports an ENTRYPOINT that never runs what CMD says.
//
// Why it matters: CMD is handed to ENTRYPOINT as arguments. A shell-form
// ENTRYPOINT, or a script that does not use "$@", throws them away: the image
// does not run what its Dockerfile says, and the health check fails when CMD
// was to name the port or the address. A command that a platform or Procfile
// gives in CMD's place is ignored as well.
//
// Fix: end the script with exec "$@", or drop the CMD.
var EntrypointDropsCommand = &rule.Rule{
	ID:       "entrypoint-drops-command",
	Title:    "the entrypoint never runs CMD",
	Severity: finding.Warning,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable},
	Check:    checkEntrypointDropsCommand,
}

func checkEntrypointDropsCommand(p *rule.Pass) {
	config := p.Image.Config
	if p.Launch.CommandIgnored == "" || !certain(p) || len(config.Cmd) == 0 {
		return
	}
	p.Report(finding.Finding{
		Basis:   finding.Predicted,
		Message: fmt.Sprintf("CMD %s is ignored: %s", commandLine(config.Cmd), p.Launch.CommandIgnored),
		Place:   finding.Place{Field: finding.FieldCmd, Words: config.Cmd[0]},
		Fix:     argumentsFix(p),
	})
}

// argumentsFix hands CMD's words on where they are options. Where that is not
// what helps, CMD can go: it does nothing as it is.
func argumentsFix(p *rule.Pass) *finding.Fix {
	fix := &finding.Fix{Description: `end the entrypoint with exec "$@" (in exec form, with brackets), or remove CMD`}
	if handed := remedy(p.Launch.FixArguments); handed != nil {
		fix = handed
	}
	fix.Others = append(fix.Others, finding.Fix{
		Description: "empty CMD, which does nothing as it is", Instruction: "CMD []", Change: finding.Change{Cmd: []string{}},
	})
	return fix
}
