package rules

import (
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// NoCommand reports an image that has neither ENTRYPOINT nor CMD, in its own
// Dockerfile or inherited from its base image.
//
// Why it fails: the engine has nothing to execute and refuses to start a
// container ("No command specified").
//
// Fix: add a CMD with the program that serves, in exec form:
// CMD ["/app/server"].
var NoCommand = &rule.Rule{
	ID:       "no-command",
	Title:    "the image has neither ENTRYPOINT nor CMD",
	Severity: finding.Error,
	Needs:    rule.NeedsImage,
	Check:    checkNoCommand,
}

func checkNoCommand(p *rule.Pass) {
	if len(p.Launch.Argv) > 0 {
		return
	}
	p.Report(finding.Finding{
		Basis:   finding.Predicted,
		Message: "the image has neither ENTRYPOINT nor CMD, so there is nothing to start",
		Place:   finding.Place{Field: finding.FieldFrom},
		Fix:     &finding.Fix{Description: `add the command that starts your server as the last line, for example CMD ["/app/server"]`},
	})
}
