package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReplacementsAreTheDiff applies SARIF's replacements as an editor does
// and compares with what the diff makes.
func TestReplacementsAreTheDiff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, diff string }{
		"replace":     {"a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		"insert":      {"a\nb\n", "a\nx\nb\n", "@@ -1,2 +1,3 @@\n a\n+x\n b\n"},
		"append":      {"a\n", "a\nx\n", "@@ -1 +1,2 @@\n a\n+x\n"},
		"first":       {"a\n", "x\na\n", "@@ -1 +1,2 @@\n+x\n a\n"},
		"delete":      {"a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n"},
		"one to many": {"a\nb", "a\nx\ny", "@@ -1,2 +1,3 @@\n a\n-b\n\\ No newline at end of file\n+x\n+y\n\\ No newline at end of file\n"},
		"two places":  {"a\nb\nc\nd\n", "A\nb\nc\nD\n", "@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n-d\n+D\n"},
		"two hunks":   {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "x\na\nb\nc\nd\ne\nf\ng\nh\nI\n", "@@ -1,2 +1,3 @@\n+x\n a\n b\n@@ -8,2 +9,2 @@\n h\n-i\n+I\n"},
		"wide":        {"a\né…b\n", "a\n漢字\n", "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-é…b\n+漢字\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.old
			all := replacements(c.diff)
			for i := len(all) - 1; i >= 0; i-- { // from the end, so that earlier places stay
				start, end := offset(got, all[i].Deleted.StartLine, all[i].Deleted.StartColumn), offset(got, all[i].Deleted.EndLine, all[i].Deleted.EndColumn)
				got = got[:start] + all[i].Inserted.Text + got[end:]
			}
			if diff := cmp.Diff(c.new, got); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
		})
	}
}

// offset is the byte at which a line's column of characters begins.
func offset(text string, line, column int) int {
	at := 0
	for range line - 1 {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	for range column - 1 {
		at += len(string([]rune(text[at:])[:1]))
	}
	return at
}

func FuzzDiff(f *testing.F) {
	f.Add("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
	f.Add("@@ -0,0 +1 @@\n+x\n\\ No newline at end of file")
	f.Add("@@ -9999999999999999999 +1 @@\n")
	f.Fuzz(func(t *testing.T, diff string) {
		for _, r := range replacements(diff) {
			if r.Deleted.EndLine < r.Deleted.StartLine && r.Deleted.StartLine > 0 {
				t.Errorf("%q: ends before it starts: %+v", diff, r.Deleted)
			}
		}
	})
}

func TestFileDiffs(t *testing.T) {
	t.Parallel()
	one := "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,3 +1,3 @@\n FROM x\n--- a/not a file\n+CMD b\n USER c\n"
	two := "--- a/web/start.sh\n+++ b/web/start.sh\n@@ -3,1 +3,1 @@\n-gunicorn\n\\ No newline at end of file\n+exec gunicorn\n\\ No newline at end of file\n"
	want := []fileDiff{{"Dockerfile", one}, {"web/start.sh", two}}
	if diff := cmp.Diff(want, fileDiffs(one+two), cmp.AllowUnexported(fileDiff{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := fileDiffs(""); got != nil {
		t.Errorf("no diff gives %v", got)
	}
}
