package review

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/report"
)

const patch = "@@ -1,2 +1,3 @@\n FROM a\n+EXPOSE 1\n-USER b\n CMD c\n@@ -9,1 +10,1 @@ CMD\n+LABEL x\n\\ No newline at end of file"

func TestPatched(t *testing.T) {
	t.Parallel()
	l := patched(patch)
	if diff := cmp.Diff(lines{1: 1, 2: 1, 3: 1, 10: 2}, l); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		first, last int
		want        bool
	}{{0, 1, true}, {1, 3, true}, {3, 10, false}, {0, 4, false}, {0, 0, false}, {4, 10, false}} {
		if got := l.holds(c.first, c.last); got != c.want {
			t.Errorf("lines %d to %d: %t", c.first, c.last, got)
		}
	}
	if patched("")[0] != 0 || patched("@@ nonsense")[1] != 0 {
		t.Error("finds lines in nothing")
	}
}

// github serves one pull request as api.github.com does.
type github struct {
	*httptest.Server
	comments []string
	files    int
	reviews  []report.Review
	refuse   int // status of a review
}

func newGitHub(t *testing.T) *github {
	t.Helper()
	g := &github{files: 1}
	list := func(w http.ResponseWriter, r *http.Request, all []map[string]string) {
		page := 1
		fmt.Sscan(r.URL.Query().Get("page"), &page)
		from := min((page-1)*perPage, len(all))
		json.NewEncoder(w).Encode(all[from:min(from+perPage, len(all))])
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/a/b/pulls/7/files", func(w http.ResponseWriter, r *http.Request) {
		var all []map[string]string
		for n := range g.files - 1 {
			all = append(all, map[string]string{"filename": fmt.Sprint(n)})
		}
		list(w, r, append(all, map[string]string{"filename": "Dockerfile", "patch": patch}))
	})
	mux.HandleFunc("GET /repos/a/b/pulls/7/comments", func(w http.ResponseWriter, r *http.Request) {
		all := []map[string]string{}
		for _, text := range g.comments {
			all = append(all, map[string]string{"body": text})
		}
		list(w, r, all)
	})
	mux.HandleFunc("POST /repos/a/b/pulls/7/reviews", func(w http.ResponseWriter, r *http.Request) {
		var review report.Review
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
		}
		if g.refuse != 0 || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(g.refuse)
			fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
			return
		}
		g.reviews = append(g.reviews, review)
		for _, c := range review.Comments {
			g.comments = append(g.comments, c.Body)
		}
		fmt.Fprint(w, `{"id":1}`)
	})
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

func TestPost(t *testing.T) {
	t.Parallel()
	g := newGitHub(t)
	g.files = perPage + 1 // the Dockerfile is on the second page
	pull := Pull{API: g.URL + "/", Repository: "a/b", Number: 7, Commit: "c0", Token: "secret"}
	comment := func(path string, line int, mark string) report.ReviewComment {
		return report.ReviewComment{Path: path, Line: line, Side: "RIGHT", Body: "text " + mark}
	}
	review := report.Review{Event: "COMMENT", Comments: []report.ReviewComment{
		comment("Dockerfile", 3, "<!-- imglint 1 -->"), comment("Dockerfile", 4, "<!-- imglint 2 -->"), comment("other", 1, "<!-- imglint 3 -->"),
	}}
	n, err := pull.Post(t.Context(), review)
	if err != nil || n != 1 || len(g.reviews) != 1 {
		t.Fatalf("posted %d comments in %d reviews (%v)", n, len(g.reviews), err)
	}
	want := report.Review{Commit: "c0", Event: "COMMENT", Comments: []report.ReviewComment{{Path: "Dockerfile", Line: 3, Side: "RIGHT", Body: "text <!-- imglint 1 -->"}}}
	if diff := cmp.Diff(want, g.reviews[0]); diff != "" {
		t.Errorf("the review (-want +got):\n%s", diff)
	}
	if n, err := pull.Post(t.Context(), review); err != nil || n != 0 || len(g.reviews) != 1 {
		t.Errorf("posted again: %d comments in %d reviews (%v)", n, len(g.reviews), err)
	}
	g.comments, g.refuse = nil, http.StatusForbidden
	if _, err := pull.Post(t.Context(), review); err == nil || !strings.Contains(err.Error(), "403 Forbidden: Resource not accessible") {
		t.Errorf("without the right to comment: %v", err)
	}
	g.Close()
	if _, err := pull.Post(t.Context(), review); err == nil {
		t.Error("posted to nobody")
	}
}
