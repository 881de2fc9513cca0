package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// SlowBoot reports an image whose first good answer came after the platform
// had given up, or so late that a busier machine would miss it.
//
// Why it fails: the platform waits a fixed time for the first answer (Aptible:
// 180 s, settable up to 900 s), then rolls the release back. imglint watches
// on for a while after that, so that it can tell how much more was needed.
//
// Fix: do less before listening (no installs, builds or migrations at the
// start), or give the release more time (aptible endpoints:https:modify
// --release-healthcheck-timeout; on older stacks RELEASE_HEALTHCHECK_TIMEOUT).
var SlowBoot = &rule.Rule{
	ID:       "slow-boot",
	Title:    "boots slower than the platform waits",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkSlowBoot,
}

// largePart of the boot window is the share from which a boot is a risk.
const largePart = 0.5

func checkSlowBoot(p *rule.Pass) {
	e, ok := p.Run.Passed(p.Target.Endpoint.Port, p.Target.Probe)
	if !ok || p.Target.Endpoint.Port == 0 || p.Run.Exit != nil {
		return
	}
	window := p.Target.BootWindow
	boot := e.T.Duration()
	if boot < time.Duration(largePart*float64(window)) {
		return
	}
	f := finding.Finding{Place: where(p), Evidence: bootMarks(p, e)}
	if boot > window {
		f.Message = fmt.Sprintf("the first answer came after %s, and %s waits only %s", seconds(e.T), platformName(p), window)
	} else {
		f.Severity = finding.Warning
		f.Message = fmt.Sprintf("the first answer came after %s of the %s that %s waits; a slower machine may miss it", seconds(e.T), window, platformName(p))
	}
	f.Fix = &finding.Fix{Description: "do less before listening" + waitLonger(p, boot)}
	p.Report(f)
}

// waitLonger names the platform's own way to do so, if it has one.
func waitLonger(p *rule.Pass, boot time.Duration) string {
	settings := p.Target.Settings.BootWindow
	switch {
	case p.Target.Platform == "aptible":
		more := min(900, max(180, 2*int(boot.Seconds())))
		return fmt.Sprintf(", or wait longer: aptible endpoints:https:modify --release-healthcheck-timeout %d (on older stacks: RELEASE_HEALTHCHECK_TIMEOUT=%d)", more, more)
	case len(settings) > 0:
		return ", or wait longer: " + strings.Join(settings, ", or ")
	}
	return ""
}

func bootMarks(p *rule.Pass, answer facts.Event) []finding.Evidence {
	var marks []finding.Evidence
	if here := on(tcp(p), p.Target.Endpoint.Port); len(here) > 0 {
		marks = append(marks, finding.Evidence{Kind: "seen", At: here[0].Opened.Seconds(), Text: fmt.Sprintf("%s listens on %s", owner(p, here[0]), here[0].Address())})
	}
	return append(marks, finding.Evidence{Kind: "seen", At: answer.T.Seconds(), Text: fmt.Sprintf("%s %s", answer.Answer.To, came(answer.Answer))})
}
