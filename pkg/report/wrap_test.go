package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, want string }{
		"fits":        {"  FAIL  short", "  FAIL  short"},
		"words":       {"one two three four five six seven eight", "one two three four five six\n  seven eight"},
		"verdict":     {"  FAIL  the release health check will fail", "  FAIL  the release health\n        check will fail"},
		"evidence":    {"  seen     0.2s  app.py listens on 0.0.0.0:8000", "  seen     0.2s  app.py\n               listens on\n               0.0.0.0:8000"},
		"colour":      {"  \x1b[1;31mFAIL\x1b[0m  the release health check will fail", "  \x1b[1;31mFAIL\x1b[0m  the release health\n        check will fail"},
		"long word":   {"  see  " + strings.Repeat("x", 50), "  see  " + strings.Repeat("x", 50)},
		"not Latin 1": {strings.Repeat("ü", 30), strings.Repeat("ü", 30)},
	} {
		if diff := cmp.Diff(c.want, wrap(c.line, 30)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := wrap(strings.Repeat("a ", 50), 0); strings.Contains(got, "\n") {
		t.Error("wraps where there is no terminal")
	}
}

// TestTextFits: on a narrow terminal no sentence is wider than it, no word is
// lost, and what is to be copied stays in one line.
func TestTextFits(t *testing.T) {
	t.Parallel()
	for _, width := range []int{40, 80, 200} {
		for _, r := range results(t)[:6] {
			var wide, narrow bytes.Buffer
			if err := Text(&wide, r, Style{}); err != nil {
				t.Fatal(err)
			}
			if err := Text(&narrow, r, Style{Width: width}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(wide.String()), strings.Fields(narrow.String())); diff != "" {
				t.Errorf("%s: words differ (-wide +narrow):\n%s", r.Ref, diff)
			}
			for line := range strings.Lines(narrow.String()) {
				line = strings.TrimRight(line, "\n")
				copied := strings.Contains(line, " | ") || strings.HasPrefix(line, "  fix ")
				if columns(line) > width && !copied && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%d columns: %q", width, line)
				}
			}
			for _, f := range r.Findings {
				if f.Fix != nil && f.Fix.Instruction != "" && !strings.Contains(narrow.String(), f.Fix.Instruction) {
					t.Errorf("%d columns: %q is broken up", width, f.Fix.Instruction)
				}
			}
		}
	}
}
