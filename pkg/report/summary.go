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

func (s Style) verdict(r Result, text string) string {
	switch r.Verdict {
	case finding.Pass:
		return s.paint(green, text)
	case finding.Fail:
		return s.paint(red, text)
	}
	return s.paint(yellow, text)
}
