package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file holds what the rules about gunicorn's worker timeout share.

// commonTimeout is gunicorn's default worker timeout in seconds: somebody who
// chose a longer one has thought of it.
const commonTimeout = 30

// workerRisk tells whether a worker's boot may come near its timeout: where the
// timeout is no longer than gunicorn's default, or a run showed that the boot
// took a large part of it. The text says how long it took in the run.
func workerRisk(p *rule.Pass, g *facts.Gunicorn) (risky bool, took string) {
	short := g.Timeout <= commonTimeout
	if p.Run == nil {
		return short, ""
	}
	boot, ok := firstAnswer(p)
	if !ok {
		return short, ""
	}
	near := boot.Duration() >= time.Duration(g.Timeout)*time.Second/2
	return short || near, fmt.Sprintf(" (here the first answer came after %s)", seconds(boot))
}

// timeoutOrigin says where the timeout comes from.
func timeoutOrigin(g *facts.Gunicorn) string {
	if strings.HasSuffix(g.TimeoutFrom, "default") {
		return fmt.Sprintf("%s timeout is %ds", g.TimeoutFrom, g.Timeout)
	}
	return g.TimeoutFrom
}

// needed says what a start without the limit showed, "" when none was made.
func needed(p *rule.Pass, limit string) string {
	b := p.Boot
	switch {
	case b == nil:
		return ""
	case b.Took == 0:
		return fmt.Sprintf(": without a limit it had not answered after %s either", seconds(b.Within))
	case b.Request:
		return fmt.Sprintf(": it needs %s, and is killed at %s", seconds(b.Took), limit)
	}
	return fmt.Sprintf(": one needs %s, and is killed at %s", seconds(b.Took), limit)
}

// measuredEvidence is where the time comes from.
func measuredEvidence(p *rule.Pass, how string) []finding.Evidence {
	if p.Boot == nil || p.Boot.Took == 0 {
		return nil
	}
	what := "a worker answered"
	if p.Boot.Request {
		what = "the first request was answered"
	}
	return []finding.Evidence{{Kind: "seen", Text: fmt.Sprintf("started again %s, %s after %s", how, what, seconds(p.Boot.Took))}}
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
