package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// OutOfMemory reports an image that the kernel stopped because it used more
// memory than it is given, before it answered.
//
// Why it fails: the process is killed with SIGKILL (exit code 137) and has no
// chance to say why. Aptible gives a container 1 GiB unless told otherwise.
//
// Fix: give the container more memory (imglint --memory 2g checks whether
// that is enough), or start fewer workers and threads.
var OutOfMemory = &rule.Rule{
	ID:       "out-of-memory",
	Title:    "killed by the memory limit",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	Check:    checkOutOfMemory,
}

func checkOutOfMemory(p *rule.Pass) {
	if passed(p) {
		return
	}
	at, killed := facts.Millis(0), p.Run.Exit != nil && p.Run.Exit.OOM
	if killed {
		at = p.Run.Exit.T
	}
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventOOM && !killed {
			at, killed = e.T, true
		}
	}
	if !killed {
		return
	}
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("the kernel killed %s: it needs more than the %s of memory it was given", program(p), size(p.Run.MemoryLimit)),
		Place:    where(p),
		Evidence: append(logTail(p, 3), finding.Evidence{Kind: "seen", At: at.Seconds(), Text: "killed by the memory limit (SIGKILL, exit code 137)"}),
		Fix:      &finding.Fix{Description: "give the container more memory (try imglint --memory 2g), or start fewer workers"},
	})
}

func size(bytes int64) string {
	const mib = 1 << 20
	if bytes >= 1<<30 && bytes%(1<<30) == 0 {
		return fmt.Sprintf("%d GiB", bytes>>30)
	}
	return fmt.Sprintf("%d MiB", bytes/mib)
}
