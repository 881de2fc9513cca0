package lint

import (
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// TestWorth: nobody waits once more for a long boot to hear that a note has a fix.
func TestWorth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		severity finding.Severity
		took     facts.Millis
		want     bool
	}{
		{finding.Note, 900, true}, {finding.Note, 5_001, false},
		{finding.Warning, 900, true}, {finding.Warning, 60_000, true},
		{finding.Error, 900, false}, // tried before
	}
	for _, tt := range tests {
		p := &prover{check: &check{facts: &facts.Facts{Run: &facts.Run{Took: tt.took}}}}
		if got := p.worth(finding.Finding{Severity: tt.severity}); got != tt.want {
			t.Errorf("%s after %d ms: got %v", tt.severity, tt.took, got)
		}
	}
}
