package lint

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/finding"
)

// TestDoubtful: an answer that shows nothing is no pass and says why; what is
// wrong all the same is found.
func TestDoubtful(t *testing.T) {
	t.Parallel()
	const why = "inconclusive: it kept what only root may do"
	for _, f := range fixtures(t) {
		if f.name != "passes/gosu" && f.name != "loopback-bind/bad" {
			continue
		}
		recorded, _ := f.section("facts.json")
		seen := decodeFacts(t, recorded)
		seen.Run.Doubt = why
		r := judged(f.options(t), seen, false)
		if f.name == "loopback-bind/bad" {
			f.compare(t, "want", summaryOf(r))
			continue
		}
		if r.Verdict != finding.Unknown || !Doubtful(r) || !strings.Contains(r.Reason, "answered 200") {
			t.Errorf("%s: %s, %q", f.name, r.Verdict, r.Reason)
		}
		if n := len(r.NotChecked); n == 0 || r.NotChecked[n-1].Why != why {
			t.Errorf("%s: not checked: %v", f.name, r.NotChecked)
		}
	}
}
