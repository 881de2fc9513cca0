package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/imglint/imglint/pkg/finding"
)

// Summary writes a table of many images, a line each.
func Summary(w io.Writer, results []Result, style Style) error {
	width := len("image")
	for _, r := range results {
		width = max(width, utf8.RuneCountInString(clean(r.Ref)))
	}
	t := textWriter{style: style}
	t.exact("\n%s", style.paint(dim, fmt.Sprintf("%-*s  %-11s  %-8s  %s", width, "image", "verdict", "answered", "findings")))
	for _, r := range results {
		findings := "not checked"
		if r.Err == nil {
			findings = Tally(r.Findings)
		}
		name := clean(r.Ref)
		name += strings.Repeat(" ", width-utf8.RuneCountInString(name))
		t.exact("%s  %s  %-8s  %s", name, style.verdict(r, fmt.Sprintf("%-11s", verdictWord(r))), bootText(r), findings)
	}
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

// MatrixSummary writes a line an image that was judged for several platforms:
// how many of them it passes.
func MatrixSummary(w io.Writer, images [][]Result, style Style) error {
	width := len("image")
	for _, results := range images {
		width = max(width, utf8.RuneCountInString(clean(results[0].Ref)))
	}
	t := textWriter{style: style}
	t.exact("\n%s", style.paint(dim, fmt.Sprintf("%-*s  %4s  %4s  %7s", width, "image", "pass", "fail", "unknown")))
	for _, results := range images {
		name := clean(results[0].Ref)
		name += strings.Repeat(" ", width-utf8.RuneCountInString(name))
		if results[0].Err != nil {
			t.exact("%s  %s", name, style.paint(yellow, "NOT CHECKED"))
			continue
		}
		count := map[finding.Verdict]int{}
		for _, r := range results {
			count[r.Verdict]++
		}
		t.exact("%s  %4d  %4d  %7d", name, count[finding.Pass], count[finding.Fail], count[finding.Unknown])
	}
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}

func (s Style) verdict(r Result, text string) string {
	switch r.Verdict {
	case finding.Pass:
		return s.paint(green, text)
	case finding.Fail:
		return s.paint(red, text)
	}
	return s.paint(yellow, text)
}
