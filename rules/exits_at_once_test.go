package rules

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

// TestKilled claims that the memory limit was not reached only where that is
// known.
func TestKilled(t *testing.T) {
	t.Parallel()
	for unsaid, want := range map[bool]string{
		true:  "the memory limit of 64 MiB, or something else",
		false: "without the memory limit being reached",
	} {
		f := &facts.Facts{Run: &facts.Run{MemoryLimit: 64 << 20, Exit: &facts.Exit{Code: 137, Signal: "SIGKILL", Unsaid: unsaid}}}
		evidence := exitMeaning(&rule.Pass{Facts: f})
		if len(evidence) != 1 || !strings.Contains(evidence[0].Text, want) {
			t.Errorf("unsaid %t: %+v, want %q", unsaid, evidence, want)
		}
	}
}
