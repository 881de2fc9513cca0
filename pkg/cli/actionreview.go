package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/review"
)

// reviewName is the file that holds the suggestions until they are posted.
const reviewName = "review.json"

func wantsReview(io IO) bool { return io.Getenv("INPUT_REVIEW") == "true" }

// actionReview posts the fixes on the pull request that the job is about. That
// they could not be posted is a warning: the job's page and the annotations
// tell of them as well.
func actionReview(ctx context.Context, io IO, file string) {
	if !wantsReview(io) {
		return
	}
	n, err := postReview(ctx, io, file)
	switch {
	case errors.Is(err, errNoPull):
	case err != nil:
		fmt.Fprint(io.Out, report.Command("warning", fmt.Sprintf("the fixes are not on the pull request as suggestions: %v (the job needs the permission pull-requests: write, which jobs for forks do not get)", err), "imglint"))
	case n > 0:
		fmt.Fprintf(io.Out, "%d suggestions on the pull request\n", n)
	}
}

// errNoPull: the job is about a push, a tag, a schedule.
var errNoPull = errors.New("no pull request")

func postReview(ctx context.Context, io IO, file string) (int, error) {
	text, err := os.ReadFile(io.Getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return 0, fmt.Errorf("read what the job is about: %w", err)
	}
	var event struct {
		Pull *struct {
			Number int
			Head   struct{ SHA string }
		} `json:"pull_request"`
	}
	if err := json.Unmarshal(text, &event); err != nil {
		return 0, fmt.Errorf("read what the job is about: %w", err)
	}
	if event.Pull == nil {
		return 0, errNoPull
	}
	if text, err = os.ReadFile(file); err != nil {
		return 0, fmt.Errorf("read own report: %w", err)
	}
	var r report.Review
	if err := json.Unmarshal(text, &r); err != nil {
		return 0, fmt.Errorf("read own report: %w", err)
	}
	if len(r.Comments) == 0 {
		return 0, nil
	}
	pull := review.Pull{
		API: cmp.Or(io.Getenv("GITHUB_API_URL"), "https://api.github.com"), Repository: io.Getenv("GITHUB_REPOSITORY"),
		Number: event.Pull.Number, Commit: event.Pull.Head.SHA, Token: io.Getenv("INPUT_TOKEN"),
	}
	return pull.Post(ctx, r)
}
