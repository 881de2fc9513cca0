package rules

import (
	"fmt"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file holds what the rules about gunicorn's worker timeout share.

// commonTimeout is gunicorn's default worker timeout in seconds: from the
// image alone a longer one is no risk worth a word.
const commonTimeout = 30

// workerRisk tells how near a worker's boot comes to its timeout: a warning
// when a run showed that it took a large part of it, a note when there was no
// run, nothing when a run showed that there is time enough.
func workerRisk(p *rule.Pass, g *facts.Gunicorn) (finding.Severity, string) {
	if p.Run == nil {
		if g.Timeout > commonTimeout {
			return 0, ""
		}
		return finding.Note, ""
	}
	boot, ok := firstAnswer(p)
	if !ok || boot.Duration() < time.Duration(g.Timeout)*time.Second/2 {
		return 0, ""
	}
	return finding.Warning, fmt.Sprintf(" (seen: first answer after %s)", seconds(boot))
}

func basisOf(seen string) finding.Basis {
	if seen == "" {
		return finding.Predicted
	}
	return finding.Observed
}

// firstAnswer is when the first HTTP answer came, on any port and address.
func firstAnswer(p *rule.Pass) (facts.Millis, bool) {
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventAnswer && e.Answer.Class == facts.ClassHTTP {
			return e.T, true
		}
	}
	return 0, false
}
