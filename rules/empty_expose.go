package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// EmptyExpose reports an EXPOSE whose variable has no value while the image is
// built.
//
// Why it fails: EXPOSE is expanded by the build, not by the platform. With
// EXPOSE $PORT and no PORT, nothing is exposed, and the platform cannot know
// which port to ask.
//
// Fix: write the number, or give the variable a value with ENV or ARG before.
var EmptyExpose = &rule.Rule{
	ID:       "empty-expose",
	Title:    "EXPOSE expands to nothing",
	Severity: finding.Error,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{NoCommand},
	Check:    checkEmptyExpose,
}

var onlyVariables = regexp.MustCompile(`^(?i:EXPOSE)\s+((\$\w+|\$\{\w+\})(/tcp|/udp)?\s*)+$`)

func checkEmptyExpose(p *rule.Pass) {
	if p.Dockerfile == nil || len(p.Image.Config.Exposed) > 0 || p.Target.Endpoint.Port != 0 || p.Target.Endpoint.Named {
		return
	}
	for _, i := range p.Dockerfile.Fields[finding.FieldExpose] {
		text := strings.TrimSpace(i.Text)
		if !onlyVariables.MatchString(text) {
			continue
		}
		f := finding.Finding{
			Basis:   finding.Predicted,
			Message: fmt.Sprintf("%s exposes nothing: the variable has no value while the image is built", text),
			Place:   finding.Place{Field: finding.FieldExpose, Words: strings.Fields(text)[1]},
			Fix:     &finding.Fix{Description: "write the port's number, for example EXPOSE 8000, or set the variable with ENV before"},
		}
		exposeListener(p, &f, nil)
		p.Report(f)
		return
	}
}
