package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// GunicornShortTimeout reports a gunicorn with async workers (gevent,
// eventlet, uvicorn …) whose worker timeout the boot can exceed.
//
// Why it may fail: up to gunicorn 21.2.0 async workers are killed while they
// boot like sync ones, and --preload does not help where the slow part is an
// ASGI application's own start-up. From 22.0.0 a booting worker is left alone,
// and this rule is silent.
//
// Fix: raise --timeout above the longest boot you expect.
var GunicornShortTimeout = &rule.Rule{
	ID:       "gunicorn-short-timeout",
	Title:    "gunicorn's async workers may boot longer than the worker timeout",
	Severity: finding.Warning,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, GunicornWorkerTimeout},
	Check:    checkGunicornShortTimeout,
}

func checkGunicornShortTimeout(p *rule.Pass) {
	g := p.Prediction.Gunicorn
	if g == nil || !certain(p) || g.KillsBooting != facts.Yes || g.Async != facts.Yes && !g.ASGI || g.Timeout <= 0 {
		return
	}
	risky, took := workerRisk(p, g)
	if !risky {
		return
	}
	p.Report(finding.Finding{
		Basis:   basisOf(took),
		Message: fmt.Sprintf("gunicorn %s kills a %s worker that needs more than %ds to boot%s", p.Prediction.Version, g.WorkerClass, g.Timeout, took),
		Place:   where(p),
		Detail:  g.TimeoutFrom,
		Fix:     remedy(g.FixTimeout),
	})
}
