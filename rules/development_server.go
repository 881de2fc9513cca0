package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// DevelopmentServer reports a framework's development server.
//
// Why it matters: it answers the health check, but it was made for one
// developer: it compiles on the first request or restarts on changes, serves
// few requests at once, shows its insides to whoever makes it fail, and often
// refuses requests for hosts that it does not know.
//
// Fix: build the site in the Dockerfile and serve it with the framework's
// production server (gunicorn, next start, nginx over the built files).
var DevelopmentServer = &rule.Rule{
	ID:       "development-server",
	Title:    "a framework's development server",
	Severity: finding.Note,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, ExitsAtOnce, LoopbackBind},
	Check:    checkDevelopmentServer,
}

func checkDevelopmentServer(p *rule.Pass) {
	// PHP's own server is what small official examples run, too.
	if name := p.Prediction.Development; name != "" && certain(p) && p.Prediction.Server != "php-builtin" {
		p.Report(finding.Finding{
			Basis:   finding.Predicted,
			Message: fmt.Sprintf("%s is made for development, not for a platform", name),
			Place:   where(p),
			Fix:     &finding.Fix{Description: "run the framework's production server instead of " + name},
		})
	}
}
