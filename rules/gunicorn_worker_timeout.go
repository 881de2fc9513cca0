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
// Fix: with sync workers --preload, which loads the application once before
// the clock starts; with async workers, or where an ASGI start-up is what
// takes so long, a higher --timeout.
var GunicornWorkerTimeout = &rule.Rule{
	ID:       "gunicorn-worker-timeout",
	Title:    "gunicorn kills its workers before they answer",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind},
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
	limit := "its timeout"
	if g.Timeout > 0 {
		limit = fmt.Sprintf("its timeout of %ds", g.Timeout)
	}
	if g.KillsBooting == facts.No {
		f.Message = fmt.Sprintf("gunicorn %s kills its workers because the first request takes longer than %s", p.Prediction.Version, limit)
		f.Fix = remedy(g.FixTimeout)
		return
	}
	f.Message = fmt.Sprintf("gunicorn kills its workers while they still load the application: that takes longer than %s", limit)
	f.Detail = timeoutOrigin(g)
	if g.Async == facts.Yes || g.ASGI || g.Preload == facts.Yes {
		f.Fix = remedy(g.FixTimeout)
		return
	}
	f.Fix = remedy(g.FixPreload)
}
