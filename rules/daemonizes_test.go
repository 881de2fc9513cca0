package rules

import (
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// TestDaemonizesHint: a hint is worth a note before anything ran, and nothing
// beside what was seen or is known.
func TestDaemonizesHint(t *testing.T) {
	t.Parallel()
	launch := facts.Launch{Argv: []string{"thing"}, Known: facts.Yes, Command: facts.Command{Argv: []facts.Word{{Text: "thing", Known: true}}}}
	hint := facts.Prediction{Hint: "x.service:2 starts it with the same words and says Type=forking"}
	for _, tt := range []struct {
		name string
		f    facts.Facts
		want int
	}{
		{"hint", facts.Facts{Launch: launch, Prediction: hint}, 1},
		{"no hint", facts.Facts{Launch: launch}, 0},
		{"it ran and stayed", facts.Facts{Launch: launch, Prediction: hint, Run: &facts.Run{}}, 0},
	} {
		found := rule.Check(Daemonizes, &tt.f)
		if len(found) != tt.want || tt.want == 1 && found[0].Severity != finding.Note {
			t.Errorf("%s: %+v", tt.name, found)
		}
	}
}
