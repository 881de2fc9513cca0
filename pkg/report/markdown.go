package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/finding"
)

// The most that GitHub takes of a comment, and of a step's summary (1 MiB).
const (
	maxMarkdown = 65_000
	maxSummary  = 900_000
)

// markdown writes all results for a comment on a pull or merge request. Every
// text that comes from an image is escaped or in code.
func markdown(w io.Writer, _ About, results []Result) error {
	return writeMarkdown(w, results, maxMarkdown)
}

// Markdown writes all results as a job's summary wants them.
func Markdown(w io.Writer, results []Result) error { return writeMarkdown(w, results, maxSummary) }

// writeMarkdown keeps to a limit: of images that are too much, the headline and
// the causes are left; of more than that, their number.
func writeMarkdown(w io.Writer, results []Result, limit int) error {
	var b strings.Builder
	if len(results) > 1 {
		markdownTable(&b, results)
	}
	if b.Len() > limit/2 {
		b.Reset()
	}
	for i, r := range results {
		var whole, brief strings.Builder
		markdownResult(&whole, r)
		markdownBrief(&brief, r)
		switch {
		case b.Len()+whole.Len() <= limit:
			b.WriteString(whole.String())
			continue
		case b.Len()+brief.Len() <= limit:
			b.WriteString(brief.String())
			continue
		}
		fmt.Fprintf(&b, "\n%s left out here, to keep this short.\n", counted(len(results)-i, "more image"))
		break
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

// markdownBrief is a result without its evidence, fixes and timeline.
func markdownBrief(b *strings.Builder, r Result) {
	fmt.Fprintf(b, "### %s %s: %s\n\n", verdictSigns[r.Verdict], inlineCode(label(r)), verdictWord(r))
	for _, f := range r.Findings {
		fmt.Fprintf(b, "**%s** %s%s [%s](%s)\n\n", f.Severity, escapeMarkdown(placed(f.Place)), escapeMarkdown(f.Message), escapeMarkdown(f.Rule), ruleURL(f.Rule))
	}
}

var verdictSigns = map[finding.Verdict]string{finding.Pass: "✅", finding.Fail: "❌", finding.Unknown: "❔"}

func markdownTable(b *strings.Builder, results []Result) {
	b.WriteString("| image | verdict | findings | first answer |\n|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(b, "| %s | %s %s | %s | %s |\n", cell(inlineCode(label(r))), verdictSigns[r.Verdict], verdictWord(r), cell(escapeMarkdown(tallyOf(r))), bootText(r))
	}
	b.WriteString("\n")
}

// tallyOf counts findings, or says why there are none.
func tallyOf(r Result) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return Tally(r.Findings)
}

func bootText(r Result) string {
	if boot, ok := r.boot(); ok {
		return fmt.Sprintf("%.1f s", boot.Seconds())
	}
	return "–"
}

func markdownResult(b *strings.Builder, r Result) {
	fmt.Fprintf(b, "### %s %s: %s\n\n", verdictSigns[r.Verdict], inlineCode(label(r)), verdictWord(r))
	if r.Err != nil {
		fmt.Fprintf(b, "%s\n\n", escapeMarkdown(r.Err.Error()))
		return
	}
	if r.Facts != nil {
		fmt.Fprintf(b, "%s\n\n%s, %s\n\n", escapeMarkdown(capital(r.Reason)), escapeMarkdown(demand(r.Facts.Target)), escapeMarkdown(imagePlatform(r.Facts)))
	}
	for _, f := range r.Findings {
		markdownFinding(b, f)
	}
	for _, i := range r.Ignored {
		fmt.Fprintf(b, "- ignored: %s\n", escapeMarkdown(ignoredText(i)))
	}
	for _, n := range r.NotChecked {
		fmt.Fprintf(b, "- not checked: %s: %s\n", escapeMarkdown(n.What), escapeMarkdown(n.Why))
	}
	markdownTimeline(b, r)
	fmt.Fprintf(b, "\n%s · %s\n\n", Tally(r.Findings), r.Took.Round(100*time.Millisecond))
}

func markdownFinding(b *strings.Builder, f finding.Finding) {
	markdownCause(b, f)
	if f.Fix == nil {
		return
	}
	block := ""
	switch {
	case f.Fix.Diff != "":
		block = fenced("diff", f.Fix.Diff)
	case f.Fix.Instruction != "" || f.Fix.Text != "":
		block = fenced("Dockerfile", strings.Join(toType(f.Fix), "\n"))
	}
	markdownFix(b, f, block)
}

// markdownCause is a finding without its fix.
func markdownCause(b *strings.Builder, f finding.Finding) {
	fmt.Fprintf(b, "**%s** %s%s [%s](%s)\n\n", f.Severity, escapeMarkdown(placed(f.Place)), escapeMarkdown(f.Message), escapeMarkdown(f.Rule), ruleURL(f.Rule))
	for _, e := range f.Evidence {
		fmt.Fprintf(b, "- %s %s\n", e.Kind, inlineCode(e.Text))
	}
	if len(f.Evidence) > 0 {
		b.WriteString("\n")
	}
}

// markdownFix is a finding's fix, with what to type in a block.
func markdownFix(b *strings.Builder, f finding.Finding, block string) {
	fmt.Fprintf(b, "Fix: %s\n", escapeMarkdown(f.Fix.Description))
	if block != "" {
		b.WriteString("\n" + block)
	}
	if f.Fix.Verified != nil && f.Fix.Proof != "" {
		fmt.Fprintf(b, "\n%s: %s\n", capital(proofWord(f.Fix)), escapeMarkdown(f.Fix.Proof))
	}
	b.WriteString("\n")
}

// maxMarks bounds a summary's timeline; the HTML report shows all of it.
const maxMarks = 40

func markdownTimeline(b *strings.Builder, r Result) {
	if r.Facts == nil || r.Facts.Run == nil {
		return
	}
	marks := timeline(r.Facts.Run)
	b.WriteString("\n<details><summary>timeline</summary>\n\n| seconds | what |\n|---:|---|\n")
	for _, m := range marks[:min(len(marks), maxMarks)] {
		fmt.Fprintf(b, "| %.2f | %s |\n", m.At, cell(inlineCode(m.Text)))
	}
	if more := len(marks) - maxMarks; more > 0 {
		fmt.Fprintf(b, "| | and %d more |\n", more)
	}
	b.WriteString("\n</details>\n")
}

// escapeMarkdown makes text plain: CommonMark takes any ASCII punctuation
// after a backslash literally (section 2.4). What begins a list or a headline
// does so only at the start.
func escapeMarkdown(text string) string {
	var b strings.Builder
	for i, r := range clean(text) {
		if strings.ContainsRune("\\`*_[]<>#|~&@$", r) || i == 0 && strings.ContainsRune("-+=", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inlineCode is a code span whose fence is longer than any within.
func inlineCode(text string) string {
	text = clean(text)
	if text == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") || strings.HasPrefix(text, " ") && strings.HasSuffix(text, " ") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// cell makes a table's cell of it: there a bar ends the cell, even in code.
func cell(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, `\|`, "|"), "|", `\|`)
}

// fenced is a code block whose fence is longer than any within.
func fenced(language, text string) string {
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	return fence + language + "\n" + cleaned(lines) + "\n" + fence + "\n"
}

// longestRun is the length of the longest run of backticks.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// capital starts a sentence.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
