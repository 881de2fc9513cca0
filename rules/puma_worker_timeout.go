package rules

import (
	"fmt"
	"regexp"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// PumaWorkerTimeout reports a puma in cluster mode that kills its own workers
// ("Terminating timed out worker") before any of them answered.
//
// Why it fails: without preload_app! every worker loads the application by
// itself, and puma kills one that has not done so within worker_boot_timeout
// (60 s), and starts the next, for ever. (Measured with puma 5.6.)
//
// imglint starts the image once more without workers and measures how long
// the application needs to load.
//
// Fix: load the application once, before the workers: --preload, or
// preload_app! in puma's configuration; or raise worker_boot_timeout there.
var PumaWorkerTimeout = &rule.Rule{
	ID:       "puma-worker-timeout",
	Title:    "puma kills its workers before they answer",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce, LoopbackBind, UnreachableDependency},
	Check:    checkPumaWorkerTimeout,
}

// pumaKill is cluster.rb's message; before puma 5 it does not say how long.
var pumaKill = regexp.MustCompile(`! Terminating timed out worker(?: \(worker failed to (boot|check in) within (\d+) seconds\))?: \d+`)

func checkPumaWorkerTimeout(p *rule.Pass) {
	if _, answered := firstAnswer(p); passed(p) || answered {
		return
	}
	f := finding.Finding{Place: where(p), Fix: remedy(p.Prediction.FixPreload)}
	limit := ""
	for _, line := range p.Run.Log.Lines {
		m := pumaKill.FindStringSubmatch(line.Text)
		if m == nil || m[1] == "check in" {
			continue
		}
		limit = m[2]
		if len(f.Evidence) < 3 {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "log", Text: clip(line.Text, 200), At: line.T.Seconds()})
		}
	}
	if len(f.Evidence) == 0 {
		return
	}
	f.Message = "puma kills its workers while they still load the application"
	short := "its worker_boot_timeout"
	if limit != "" {
		short = limit + "s"
		f.Message += fmt.Sprintf(", which takes longer than its worker_boot_timeout of %s", short)
	}
	f.Message += needed(p, short)
	f.Evidence = append(f.Evidence, measuredEvidence(p, "without workers (-w 0)")...)
	if f.Fix == nil || p.Boot != nil && p.Boot.Request {
		f.Fix = &finding.Fix{Description: "load the application before the workers (preload_app! in puma's configuration), or raise worker_boot_timeout there"}
	}
	p.Report(f)
}
