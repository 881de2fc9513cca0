// Package review posts suggestions on a GitHub pull request: those that are on
// lines which the pull request shows, and that were not posted before.
package review

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/report"
)

// Pull is a pull request and the right to comment on it.
type Pull struct {
	API        string // https://api.github.com
	Repository string // OWNER/NAME
	Number     int
	Commit     string // what was checked: the newest of the pull request
	Token      string
}

const (
	patience = 30 * time.Second // for one request
	perPage  = 100
	maxPages = 30 // GitHub lists 3000 files at most
	maxReply = 32 << 20
)

// Post posts the comments as one review and returns how many there were. With
// none that is new, nothing is posted.
func (p Pull) Post(ctx context.Context, r report.Review) (int, error) {
	shown, err := p.lines(ctx)
	if err != nil {
		return 0, err
	}
	before, err := p.posted(ctx)
	if err != nil {
		return 0, err
	}
	kept := []report.ReviewComment{}
	for _, c := range r.Comments {
		if !before(c.Mark()) && shown[c.Path].holds(c.StartLine, c.Line) {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		return 0, nil
	}
	r.Comments, r.Commit = kept, p.Commit
	return len(kept), p.call(ctx, http.MethodPost, "reviews", r, nil)
}

// lines are those of each file that can be commented on.
func (p Pull) lines(ctx context.Context) (map[string]lines, error) {
	all := map[string]lines{}
	err := pages(ctx, p, "files", func(file struct{ Filename, Patch string }) {
		all[file.Filename] = patched(file.Patch)
	})
	return all, err
}

// posted reports whether a comment with a mark is there already.
func (p Pull) posted(ctx context.Context) (func(mark string) bool, error) {
	var all strings.Builder
	err := pages(ctx, p, "comments", func(c struct{ Body string }) { all.WriteString(c.Body + "\n") })
	return func(mark string) bool { return strings.Contains(all.String(), mark) }, err
}

// pages reads a list of the pull request's to its end.
func pages[T any](ctx context.Context, p Pull, what string, each func(T)) error {
	for page := 1; page <= maxPages; page++ {
		var items []T
		if err := p.call(ctx, http.MethodGet, fmt.Sprintf("%s?per_page=%d&page=%d", what, perPage, page), nil, &items); err != nil {
			return err
		}
		for _, item := range items {
			each(item)
		}
		if len(items) < perPage {
			return nil
		}
	}
	return nil
}

// call makes one request about the pull request.
func (p Pull) call(ctx context.Context, method, what string, body, reply any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	address := fmt.Sprintf("%s/repos/%s/pulls/%d/%s", strings.TrimSuffix(p.API, "/"), p.Repository, p.Number, what)
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("ask GitHub: %w", err)
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	request.Header.Set("Authorization", "Bearer "+p.Token)
	request.Header.Set("User-Agent", "imglint")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask GitHub: %w", err)
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return fmt.Errorf("read GitHub's answer: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: GitHub answered %s: %s", method, what, response.Status, said(text))
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(text, reply)
}

// said is the message of an error of GitHub's.
func said(text []byte) error {
	var answer struct{ Message string }
	if err := json.Unmarshal(text, &answer); err != nil || answer.Message == "" {
		return errors.New("no message")
	}
	return errors.New(answer.Message)
}
