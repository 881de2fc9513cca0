package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// GunicornNoPreload reports a gunicorn with sync workers that load the
// application while the worker timeout already runs, where --preload would
// cure it.
//
// Why it may fail: up to gunicorn 21.2.0 a worker that needs longer than
// --timeout (30 s) to load the application is killed and started again for
// ever. From 22.0.0 a booting worker is left alone, and this rule is silent.
// An application that loads quickly on a laptop may need ten times as long on
// the share of a CPU that a platform gives it.
//
// Fix: --preload loads the application once, before the workers are started.
var GunicornNoPreload = &rule.Rule{
	ID:       "gunicorn-no-preload",
	Title:    "gunicorn's workers load the application under the worker timeout",
	Severity: finding.Warning,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, GunicornWorkerTimeout},
	Check:    checkGunicornNoPreload,
}

func checkGunicornNoPreload(p *rule.Pass) {
	g := p.Prediction.Gunicorn
	if g == nil || !certain(p) || g.KillsBooting != facts.Yes || g.Preload != facts.No || g.Async != facts.No || g.Timeout <= 0 {
		return
	}
	risky, took := workerRisk(p, g)
	if !risky {
		return
	}
	p.Report(finding.Finding{
		Basis:   basisOf(took),
		Message: fmt.Sprintf("gunicorn %s loads the application in every worker and kills a worker that needs more than %ds for it%s", p.Prediction.Version, g.Timeout, took),
		Place:   where(p),
		Detail:  g.TimeoutFrom,
		Fix:     remedy(g.FixPreload),
	})
}
