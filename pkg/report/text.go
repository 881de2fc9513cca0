package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Text writes one image's result for a person to read.
func Text(w io.Writer, r Result, style Style) error {
	t := textWriter{style: style}
	t.header(r)
	t.verdict(r)
	if style.Verbose && r.Facts != nil {
		t.trail(r.Facts, r.Cost)
	}
	for _, f := range r.Findings {
		t.finding(f)
	}
	t.notChecked(r)
	t.summary(r)
	_, err := io.WriteString(w, t.b.String())
	return err
}

type textWriter struct {
	b     strings.Builder
	style Style
}

// line writes a line of words, which may become several on a narrow terminal.
func (t *textWriter) line(format string, args ...any) {
	for text := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		t.exact("%s", wrap(text, t.style.Width))
	}
}

// exact writes a line that is copied, or whose columns matter.
func (t *textWriter) exact(format string, args ...any) {
	fmt.Fprintf(&t.b, format+"\n", args...)
}

func (t *textWriter) header(r Result) {
	if r.Facts == nil {
		t.line("%s", t.style.paint(bold, clean(r.Ref)))
		return
	}
	image := r.Facts.Image
	t.line("%s  %s  %s  %s", t.style.paint(bold, clean(r.Ref)), short(image), clean(image.Platform()), t.style.paint(dim, demand(r.Facts.Target)))
}

// short is the beginning of the image's digest, enough to tell it by.
func short(image facts.Image) string {
	id := image.Digest
	if id == "" {
		id = image.ID
	}
	if id == "" {
		return "not built"
	}
	id = strings.TrimPrefix(id, "sha256:")
	return "sha256:" + id[:min(12, len(id))]
}

// demand says what the platform asks and for how long.
func demand(target facts.Target) string {
	if target.Endpoint.Port == 0 {
		return fmt.Sprintf("%s: no port to check", target.Platform)
	}
	if target.Probe.TCP {
		return fmt.Sprintf("%s: a connection to <container>:%d, within %s", target.Platform, target.Endpoint.Port, target.BootWindow)
	}
	accepted := "any status"
	if len(target.Probe.Accept) > 0 {
		accepted = "only status " + statuses(target.Probe)
	}
	return fmt.Sprintf("%s: %s http://<container>:%d%s  %s, within %s",
		target.Platform, target.Probe.Method, target.Endpoint.Port, target.Probe.Path, accepted, target.BootWindow)
}

func statuses(probe facts.Probe) string {
	var parts []string
	for _, r := range probe.Accept {
		if r.From == r.To {
			parts = append(parts, fmt.Sprint(r.From))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", r.From, r.To))
		}
	}
	return strings.Join(parts, ", ")
}

func (t *textWriter) verdict(r Result) {
	word := map[finding.Verdict]string{
		finding.Pass: t.style.paint(green, "PASS"), finding.Fail: t.style.paint(red, "FAIL"),
	}[r.Verdict]
	if word == "" {
		word = t.style.paint(yellow, "UNKNOWN")
	}
	t.line("\n  %s  %s", word, clean(r.Reason))
}

func (t *textWriter) finding(f finding.Finding) {
	t.line("\n%s%s %s %s", placed(f.Place), t.style.severity(f.Severity, f.Severity.String()+":"), clean(f.Message), t.style.paint(dim, "["+f.Rule+"]"))
	t.source(f)
	for _, e := range f.Evidence {
		t.evidence(e)
	}
	if f.Fix != nil {
		t.fix(f.Fix)
	}
}

// placed is FILE:LINE:, or where the field comes from.
func placed(p finding.Place) string {
	switch {
	case p.Inherited != "":
		return fmt.Sprintf("%s, inherited from the base image %s: ", p.Field, clean(p.Inherited))
	case p.File != "" && p.Line > 0:
		return fmt.Sprintf("%s:%d: ", clean(p.File), p.Line)
	}
	return ""
}

func (t *textWriter) source(f finding.Finding) {
	if f.Place.Source == "" {
		if f.Detail != "" {
			t.line("  %s   %s", t.style.paint(dim, "why"), clean(f.Detail))
		}
		return
	}
	number := ""
	if f.Place.File != "" && f.Place.Line > 0 {
		number = fmt.Sprint(f.Place.Line)
	}
	source, _, _ := strings.Cut(f.Place.Source, "\n")
	t.exact("%s", t.style.paint(dim, fmt.Sprintf("%5s | ", number))+clean(source))
	start, end := span(f.Place, source)
	if start >= end && f.Detail == "" {
		return
	}
	mark := t.style.severity(f.Severity, strings.Repeat("^", end-start))
	if f.Detail != "" {
		mark += " " + clean(f.Detail)
	}
	t.exact("%s%s%s", t.style.paint(dim, "      | "), strings.Repeat(" ", start), mark)
}

// span is the byte range of the offending words in the first source line.
func span(p finding.Place, source string) (start, end int) {
	if p.Column > 0 && p.EndColumn > p.Column && p.EndColumn-1 <= len(source) {
		return p.Column - 1, p.EndColumn - 1
	}
	return 0, 0
}

func (t *textWriter) evidence(e finding.Evidence) {
	at := strings.Repeat(" ", 6)
	if e.At > 0 {
		at = fmt.Sprintf("%5.1fs", e.At)
	}
	t.line("  %s %s  %s", t.style.paint(dim, fmt.Sprintf("%-6s", e.Kind)), at, clean(e.Text))
}

func (t *textWriter) fix(fix *finding.Fix) {
	typed := strings.Split(strings.Join(toType(fix), "\n"), "\n")
	for i, line := range typed {
		word := "fix   "
		if i > 0 {
			word = "      "
		}
		head := "  " + t.style.paint(green, word) + " "
		if line == "" {
			t.line("%s%s", head, clean(fix.Description))
			continue
		}
		text := t.style.paint(bold, clean(line))
		if fix.Verified == nil && i == len(typed)-1 {
			text += t.style.paint(dim, "   ("+clean(fix.Description)+")")
		}
		t.exact("%s%s", head, text)
	}
	if fix.Verified == nil || fix.Proof == "" {
		return
	}
	word := t.style.paint(green, "proved")
	if !*fix.Verified {
		word = t.style.paint(yellow, "tried ")
	}
	t.line("  %s %s", word, clean(fix.Proof))
}

func (t *textWriter) notChecked(r Result) {
	if len(r.NotChecked) > 0 {
		t.line("")
	}
	for _, n := range r.NotChecked {
		t.line("%s %s: %s", t.style.paint(yellow, "not checked:"), clean(n.What), clean(n.Why))
	}
}

func (t *textWriter) summary(r Result) {
	parts := []string{Tally(r.Findings)}
	took := r.Took.Round(100 * time.Millisecond).String()
	if boot, ok := r.boot(); ok {
		took += fmt.Sprintf(" (app boot %.1fs)", boot.Seconds())
	}
	parts = append(parts, took)
	if len(r.Findings) > 0 {
		parts = append(parts, "imglint explain "+r.Findings[0].Rule)
	}
	t.line("\n%s", t.style.paint(dim, strings.Join(parts, " · ")))
}

// Tally counts findings in words: "1 error, 2 warnings", "no findings".
func Tally(findings []finding.Finding) string {
	var parts []string
	for _, level := range []finding.Severity{finding.Error, finding.Warning, finding.Note} {
		n := Result{Findings: findings}.Count(level)
		switch {
		case n == 1:
			parts = append(parts, "1 "+level.String())
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, level))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}
