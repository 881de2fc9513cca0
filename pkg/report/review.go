package report

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// Review is the body of GitHub's "create a review for a pull request": fixes
// that the author takes with a click.
type Review struct {
	Commit   string          `json:"commit_id,omitempty"`
	Event    string          `json:"event"`
	Body     string          `json:"body,omitempty"`
	Comments []ReviewComment `json:"comments"`
}

// ReviewComment is about the lines of a file as they are after the change.
type ReviewComment struct {
	Path      string `json:"path"`
	Line      int    `json:"line"` // the last
	Side      string `json:"side"`
	StartLine int    `json:"start_line,omitempty"`
	StartSide string `json:"start_side,omitempty"`
	Body      string `json:"body"` // ends in the mark
}

const markBegin = "<!-- imglint "

// Mark is the comment that nobody sees at the body's end. It stays the same
// from one commit to the next as long as the cause does.
func (c ReviewComment) Mark() string {
	return strings.TrimSpace(c.Body[max(0, strings.LastIndex(c.Body, markBegin)):])
}

// maxComment is GitHub's limit for a comment's and a review's text.
const maxComment = 65_536

// NewReview makes a comment of every fix that replaces or adds lines in one
// place. What several images say alike is said once.
func NewReview(results []Result) Review {
	review := Review{Event: "COMMENT", Comments: []ReviewComment{}}
	seen := map[string]bool{}
	for _, r := range results {
		marks := fingerprints(r)
		for i, f := range r.Findings {
			c, ok := comment(f)
			if !ok || seen[c.Body] {
				continue
			}
			seen[c.Body] = true
			c.Body += markBegin + marks[i] + " -->\n"
			review.Comments = append(review.Comments, c)
		}
	}
	if n := len(review.Comments); n > 0 {
		review.Body = fmt.Sprintf("imglint: %s for the release health check", counted(n, "suggestion"))
	}
	return review
}

// comment is a finding's fix as GitHub's suggestion, which replaces whole lines.
func comment(f finding.Finding) (ReviewComment, bool) {
	if f.Fix == nil || f.Place.File == "" {
		return ReviewComment{}, false
	}
	files := fileDiffs(f.Fix.Diff)
	if len(files) != 1 {
		return ReviewComment{}, false // a suggestion changes one place
	}
	blocks := diffBlocks(files[0].diff)
	if len(blocks) != 1 || len(blocks[0].added) == 0 {
		return ReviewComment{}, false
	}
	b := blocks[0]
	first, last, lines := b.line, b.line+len(b.removed)-1, b.added
	if len(b.removed) == 0 {
		if !b.hasBefore {
			return ReviewComment{}, false
		}
		first, last, lines = b.line-1, b.line-1, append([]string{b.before}, b.added...)
	}
	c := ReviewComment{Path: path.Clean(files[0].file), Line: last, Side: "RIGHT"}
	if first < last {
		c.StartLine, c.StartSide = first, "RIGHT"
	}
	var text strings.Builder
	markdownCause(&text, f)
	markdownFix(&text, f, fenced("suggestion", strings.Join(lines, "\n")+"\n"))
	c.Body = text.String()
	return c, text.Len() < maxComment-100 // the mark
}

func review(w io.Writer, _ About, results []Result) error {
	if err := encode(w, NewReview(results), "  "); err != nil {
		return fmt.Errorf("write review: %w", err)
	}
	return nil
}
