package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// MissingExpose reports an image that exposes no port at all.
//
// Why it fails: the platform learns from EXPOSE which port to send its health
// check to. Without one it cannot choose.
//
// Fix: add EXPOSE with the port the server listens on, before CMD.
var MissingExpose = &rule.Rule{
	ID:       "missing-expose",
	Title:    "the image exposes no port",
	Severity: finding.Error,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{NoCommand, EmptyExpose},
	Check:    checkMissingExpose,
}

func checkMissingExpose(p *rule.Pass) {
	if p.Target.Endpoint.Port != 0 || p.Target.Endpoint.Named || len(p.Image.Config.Exposed) > 0 {
		return
	}
	f := finding.Finding{
		Basis:   finding.Predicted,
		Message: fmt.Sprintf("the image exposes no port, so %s cannot know where to send its health check", platformName(p)),
		Place:   finding.Place{Field: finding.FieldCmd},
		Fix:     &finding.Fix{Description: "name the port that your server listens on, for example EXPOSE 8000, before CMD"},
	}
	exposeListener(p, &f, nil)
	p.Report(f)
}
