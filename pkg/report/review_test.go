package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/finding"
)

func TestReviewComments(t *testing.T) {
	t.Parallel()
	const header = "--- a/Dockerfile\n+++ b/Dockerfile\n"
	for name, c := range map[string]struct {
		diff, file string
		want       ReviewComment // of the body, the suggestion
		none       bool
	}{
		"replaced line":     {header + "@@ -2,2 +2,2 @@\n EXPOSE 1\n-CMD a\n+CMD b\n", "./Dockerfile", ReviewComment{Path: "Dockerfile", Line: 3, Side: "RIGHT", Body: "CMD b\n"}, false},
		"replaced lines":    {strings.ReplaceAll(header, "/Dockerfile", "/web/Dockerfile") + "@@ -3,2 +3,1 @@\n-CMD a \\\n-  b\n+CMD c\n", "web/Dockerfile", ReviewComment{Path: "web/Dockerfile", Line: 4, Side: "RIGHT", StartLine: 3, StartSide: "RIGHT", Body: "CMD c\n"}, false},
		"added line":        {header + "@@ -2,1 +2,2 @@\n CMD a\n+EXPOSE 80\n", "Dockerfile", ReviewComment{Path: "Dockerfile", Line: 2, Side: "RIGHT", Body: "CMD a\nEXPOSE 80\n"}, false},
		"added at the top":  {header + "@@ -0,0 +1,1 @@\n+EXPOSE 80\n", "Dockerfile", ReviewComment{}, true},
		"removed line":      {header + "@@ -1,2 +1,1 @@\n-USER a\n CMD a\n", "Dockerfile", ReviewComment{}, true},
		"two places":        {header + "@@ -1,3 +1,3 @@\n-A\n+B\n C\n-D\n+E\n", "Dockerfile", ReviewComment{}, true},
		"no newline at end": {header + "@@ -1,1 +1,1 @@\n-A\n\\ No newline at end of file\n+B\n", "Dockerfile", ReviewComment{Path: "Dockerfile", Line: 1, Side: "RIGHT", Body: "B\n"}, false},
		"no file":           {header + "@@ -1,1 +1,1 @@\n-A\n+B\n", "", ReviewComment{}, true},
		"two files":         {header + "@@ -1,1 +1,1 @@\n-A\n+B\n--- a/start.sh\n+++ b/start.sh\n@@ -1,1 +1,1 @@\n-A\n+B\n", "Dockerfile", ReviewComment{}, true},
		"another file":      {"--- a/start.sh\n+++ b/start.sh\n@@ -3,1 +3,1 @@\n-A\n+exec A\n", "Dockerfile", ReviewComment{Path: "start.sh", Line: 3, Side: "RIGHT", Body: "exec A\n"}, false},
		"backticks":         {header + "@@ -1,1 +1,1 @@\n-A\n+CMD echo ```\n", "Dockerfile", ReviewComment{Path: "Dockerfile", Line: 1, Side: "RIGHT", Body: "CMD echo ```\n"}, false},
	} {
		f := finding.Finding{Rule: "x", Severity: finding.Error, Message: "m", Place: finding.Place{File: c.file}, Fix: &finding.Fix{Description: "d", Diff: c.diff}}
		got, ok := comment(f)
		if ok == c.none {
			t.Errorf("%s: comment: %t", name, ok)
			continue
		}
		_, body, _ := strings.Cut(got.Body, "`suggestion\n")
		got.Body, _, _ = strings.Cut(body, "\n```")
		if got.Body != "" {
			got.Body += "\n"
		}
		if name == "backticks" {
			got.Body, _, _ = strings.Cut(body, "````")
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestReview(t *testing.T) {
	t.Parallel()
	all := results(t)
	review := NewReview(append(all, all[0]))
	if len(review.Comments) == 0 || review.Event != "COMMENT" {
		t.Fatalf("the review is %+v", review)
	}
	marks := map[string]bool{}
	for _, c := range review.Comments {
		if marks[c.Mark()] || !strings.HasPrefix(c.Mark(), markBegin) || !strings.HasSuffix(c.Mark(), " -->") || len(c.Body) > maxComment {
			t.Errorf("the comment is there twice, too long or has no mark: %+v", c)
		}
		marks[c.Mark()] = true
	}
	if empty := NewReview(nil); empty.Body != "" || empty.Comments == nil {
		t.Errorf("a review of nothing is %+v", empty)
	}
}
