package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// GunicornWorkerTimeout reports a gunicorn that kills its own workers
// ("[CRITICAL] WORKER TIMEOUT") before any of them answered.
//
// Why it fails: gunicorn's master kills a worker that has not given a sign of
// life within --timeout (30 s). Up to gunicorn 21.2.0 the clock runs while the
// worker still loads the application, so a slow application is killed and
// started again for ever. From 22.0.0 a booting worker is left alone, and the
// message means that the first request took longer than the timeout.
// (Measured with gunicorn 20.1.0 to 26.1.0.)
//
// imglint starts the image once more with --timeout 0 and measures how long a
// worker needs when nobody kills it.
//
// Fix: with sync workers --preload, which loads the application once before
// the clock starts; with async workers, or where an ASGI start-up is what
// takes so long, a higher --timeout.
var GunicornWorkerTimeout = &rule.Rule{
	ID:       "gunicorn-worker-timeout",
	Title:    "gunicorn kills its workers before they answer",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, UnreachableDependency},
	Check:    checkGunicornWorkerTimeout,
}

func checkGunicornWorkerTimeout(p *rule.Pass) {
	if passed(p) || answered(p) {
		return
	}
	var killed []facts.LogLine
	for _, line := range p.Run.Log.Lines {
		if strings.Contains(line.Text, "WORKER TIMEOUT") {
			killed = append(killed, line)
		}
	}
	if len(killed) == 0 {
		return
	}
	f := finding.Finding{Place: where(p)}
	for _, line := range killed[:min(3, len(killed))] {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "log", Text: clip(line.Text, 200), At: line.T.Seconds()})
	}
	explainTimeout(p, &f)
	p.Report(f)
}

// answered reports whether any worker ever answered a request, on any address.
func answered(p *rule.Pass) bool {
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventAnswer && e.Answer.Class == facts.ClassHTTP {
			return true
		}
	}
	return false
}

func explainTimeout(p *rule.Pass, f *finding.Finding) {
	g := p.Prediction.Gunicorn
	if g == nil {
		f.Message = "gunicorn kills its workers before one of them answers"
		f.Fix = &finding.Fix{Description: "with sync workers add --preload, with async ones raise --timeout"}
		return
	}
	limit, short := "its timeout", "it"
	if g.Timeout > 0 {
		short = fmt.Sprintf("%ds", g.Timeout)
		limit += " of " + short
	}
	f.Evidence = append(f.Evidence, measuredEvidence(p, "with --timeout 0")...)
	if g.KillsBooting == facts.No || p.Boot != nil && p.Boot.Request {
		f.Message = fmt.Sprintf("gunicorn %s kills its workers because the first request takes longer than %s", p.Prediction.Version, limit) + needed(p, short)
		f.Detail = timeoutOrigin(g)
		f.Fix = remedy(g.FixTimeout)
		return
	}
	doing := "load the application"
	if g.Preload == facts.Yes {
		doing = "start the application" // what an ASGI lifespan does; loading is done before
	}
	f.Message = fmt.Sprintf("gunicorn kills its workers while they still %s, which takes longer than %s", doing, limit) + needed(p, short)
	f.Detail = timeoutOrigin(g)
	switch {
	case g.Async == facts.Yes || g.ASGI || g.Preload == facts.Yes:
		f.Fix = remedy(g.FixTimeout)
		if f.Fix != nil && g.ASGI {
			f.Fix.Description += "; --preload does not cure a slow start-up (lifespan) of an ASGI application"
		}
	default:
		f.Fix = remedy(g.FixPreload)
	}
}
