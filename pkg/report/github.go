package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// GitHub's workflow commands, ::name key=value,key=value::data, escaped as
// escapeData and escapeProperty of actions/toolkit (packages/core/src/command.ts).
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// property is one key of a workflow command.
type property struct {
	key   string
	value any
}

func command(name string, data string, properties ...property) string {
	var pairs []string
	for _, p := range properties {
		if text := fmt.Sprint(p.value); text != "" && text != "0" {
			pairs = append(pairs, p.key+"="+githubProperty.Replace(text))
		}
	}
	head := name
	if len(pairs) > 0 {
		head += " " + strings.Join(pairs, ",")
	}
	return "::" + head + "::" + githubData.Replace(data) + "\n"
}

// Command is a workflow command with a title, a line for a GitHub job's log.
func Command(name, data, title string) string {
	return command(name, clean(data), property{"title", title})
}

// github writes a result for a GitHub job's log: the text in a group, then an
// annotation for each finding.
func github(w io.Writer, a About, r Result) error {
	var b strings.Builder
	b.WriteString(command("group", label(r)+": "+verdictWord(r)))
	var text strings.Builder
	if err := Text(&text, r, Style{Verbose: a.Style.Verbose}); err != nil {
		return err
	}
	if r.Err == nil {
		b.WriteString(inert(text.String()))
	}
	b.WriteString("::endgroup::\n")
	if r.Err != nil {
		b.WriteString(command("error", clean(r.Ref)+": "+clean(r.Err.Error()), property{"title", "imglint could not check the image"}))
	}
	for _, f := range r.Findings {
		b.WriteString(annotation(r, f))
	}
	for _, n := range r.NotChecked {
		b.WriteString(command("notice", clean(r.Ref)+": "+clean(n.Why), property{"title", "imglint did not check " + clean(n.What)}))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write workflow commands: %w", err)
	}
	return nil
}

// annotation is one finding. Columns are given only for a place in one line:
// GitHub takes no others.
func annotation(r Result, f finding.Finding) string {
	name := map[finding.Severity]string{finding.Error: "error", finding.Warning: "warning"}[f.Severity]
	if name == "" {
		name = "notice"
	}
	p := f.Place
	var at []property
	if p.File != "" && p.Line > 0 {
		at = append(at, property{"file", clean(p.File)}, property{"line", p.Line}, property{"endLine", max(p.EndLine, p.Line)})
		if start, end := characters(p); end > 0 && p.EndLine <= p.Line {
			at = append(at, property{"col", start}, property{"endColumn", end})
		}
	}
	at = append(at, property{"title", f.Rule + ": " + label(r)})
	return command(name, cleaned(paragraphs(f)), at...)
}

// commandLike finds what a runner would take for a command: "::" at the start
// of a line after any blanks of Unicode, and the old "##[" anywhere
// (ActionCommand.cs of actions/runner).
var commandLike = regexp.MustCompile(`(?m)^[\s\p{Z}]*::|##\[`)

// inert keeps text that comes from an image from being a command.
func inert(text string) string {
	return commandLike.ReplaceAllStringFunc(text, func(found string) string {
		if found == "##[" {
			return `##\[`
		}
		return strings.TrimSuffix(found, "::") + `\::`
	})
}

// verdictWord is the verdict in a word of a headline.
func verdictWord(r Result) string {
	if r.Err != nil {
		return "NOT CHECKED"
	}
	return strings.ToUpper(string(r.Verdict))
}

// characters is the place's words as columns of characters, the first is 1;
// 0, 0 when they are not known.
func characters(p finding.Place) (start, end int) {
	source, _, _ := strings.Cut(p.Source, "\n")
	from, to := span(p, source)
	if from >= to {
		return 0, 0
	}
	start = len([]rune(source[:from])) + 1
	return start, start + len([]rune(source[from:to]))
}
