package rules

import (
	"fmt"
	"path"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// BrokenHealthcheck reports a HEALTHCHECK whose program is not in the image,
// most often curl.
//
// Why it matters: the engine runs it inside the container. A program that is
// missing fails every time, so the container is unhealthy for ever: engines
// and platforms that look at it stop or replace a server that answers.
//
// Fix: install the program, use one that is there (wget in Alpine and busybox,
// python, node), or remove HEALTHCHECK where the platform asks by itself.
var BrokenHealthcheck = &rule.Rule{
	ID:       "broken-healthcheck",
	Title:    "the image's HEALTHCHECK cannot work",
	Severity: finding.Warning,
	Needs:    rule.NeedsImage,
	Check:    checkBrokenHealthcheck,
}

func checkBrokenHealthcheck(p *rule.Pass) {
	program := p.Launch.Healthcheck
	if program == nil || program.Found != facts.No || program.Path == "" {
		return
	}
	name := path.Base(program.Path)
	p.Report(finding.Finding{
		Basis:   finding.Predicted,
		Message: fmt.Sprintf("HEALTHCHECK runs %s, which is not in the image: the container will never be healthy", name),
		Place:   finding.Place{Field: finding.FieldHealthcheck, Words: name},
		Fix:     &finding.Fix{Description: fmt.Sprintf("install %s, check with a program that the image has, or remove HEALTHCHECK", name)},
	})
}
