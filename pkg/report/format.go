package report

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// About is what a report says besides the results.
type About struct {
	Version string           // of imglint
	Rules   []Rule           // those that were asked
	FailOn  finding.Severity // the least that fails the call
	Style   Style            // of text
}

// Rule describes a rule to those who read a report elsewhere.
type Rule struct {
	ID       string
	Title    string
	Severity finding.Severity // the most severe it reports
	Page     string           // its documentation, in Markdown
	NeedsRun bool             // it says nothing about an image that was not run
}

// Format is one way to write results. Exactly one of Each and All is set.
type Format struct {
	Name  string
	About string // for --help
	// Each writes one result as soon as it is its turn.
	Each func(io.Writer, About, Result) error
	// All writes every result when all are there.
	All func(io.Writer, About, []Result) error
	// Unordered: a result's turn is when it is there, whatever was named first.
	Unordered bool
}

// Formats lists the formats, the usual one first.
var Formats = []Format{
	{Name: "text", About: "for people", Each: textEach},
	{Name: "json", About: "one document", All: func(w io.Writer, _ About, all []Result) error { return JSON(w, all) }},
	{Name: "jsonl", About: "one line an image, as they finish", Each: jsonLine, Unordered: true},
	{Name: "github", About: "annotations and a job summary", Each: github},
	{Name: "sarif", About: "SARIF 2.1.0 for code scanning", All: sarif},
	{Name: "junit", About: "a test report", All: junit},
	{Name: "gitlab", About: "GitLab code quality", All: gitlab},
	{Name: "markdown", About: "for comments and summaries", All: markdown},
	{Name: "review", About: "a review of a GitHub pull request, with suggestions", All: review},
	{Name: "html", About: "one page with pictures", All: page},
}

// FindFormat returns the format of a name.
func FindFormat(name string) (Format, bool) {
	i := slices.IndexFunc(Formats, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return Formats[i], true
}

// FormatNames lists the names of the formats in words: "text, json or html".
func FormatNames() string {
	names := make([]string, len(Formats))
	for i, f := range Formats {
		names[i] = f.Name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func textEach(w io.Writer, a About, r Result) error {
	if r.Err != nil {
		_, err := fmt.Fprintf(w, "%s: not checked: %s\n", clean(r.Ref), clean(r.Err.Error()))
		return err
	}
	return Text(w, r, a.Style)
}

// ruleURL is where a rule's page can be read. BuildKit's checks, which have
// names like JSONArgsRecommended, have theirs at Docker's.
func ruleURL(id string) string {
	if id != "" && unicode.IsUpper(rune(id[0])) {
		return "https://docs.docker.com/go/dockerfile/rule/" + url.PathEscape(kebab(id)) + "/"
	}
	return site + "/blob/main/rules/docs/" + url.PathEscape(id) + ".md"
}

// humps are the places in a name where a word begins.
var humps = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

// kebab turns JSONArgsRecommended into json-args-recommended.
func kebab(name string) string {
	return strings.ToLower(humps.ReplaceAllString(name, "$1$3-$2$4"))
}

// site is the project's home.
const site = "https://github.com/imglint/imglint"

// label names a result: an image can be judged for several platforms.
func label(r Result) string {
	if name := platformOf(r); name != "" {
		return clean(r.Ref) + " on " + name
	}
	return clean(r.Ref)
}

// place returns a file and a line for formats that cannot do without: those of
// the finding, else of the Dockerfile's instruction or its end, else the
// image's name.
func place(r Result, f finding.Finding) (file string, line, endLine int) {
	if f.Place.File != "" {
		line = max(f.Place.Line, 1)
		return f.Place.File, line, max(f.Place.EndLine, line)
	}
	if r.Facts != nil && r.Facts.Dockerfile != nil && r.Facts.Dockerfile.File != "" {
		line = max(r.Facts.Dockerfile.End, 1)
		return r.Facts.Dockerfile.File, line, line
	}
	return r.Ref, 1, 1
}

// paragraphs is a finding in whole: message, evidence, fix.
func paragraphs(f finding.Finding) []string {
	lines := []string{f.Message}
	if f.Detail != "" {
		lines = append(lines, f.Detail)
	}
	for _, e := range f.Evidence {
		lines = append(lines, e.Kind+": "+e.Text)
	}
	if f.Fix == nil {
		return lines
	}
	fix := f.Fix.Description
	if typed := toType(f.Fix); len(typed) > 0 {
		fix += ": " + strings.Join(typed, "\n")
	}
	lines = append(lines, "fix: "+fix)
	if f.Fix.Verified != nil && f.Fix.Proof != "" {
		lines = append(lines, proofWord(f.Fix)+": "+f.Fix.Proof)
	}
	return lines
}

// toType are the lines that the fix comes to, a file's with its name.
func toType(fix *finding.Fix) []string {
	var lines []string
	if fix.Text != "" {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", fix.File, fix.Line, fix.Text))
	}
	if fix.Instruction != "" {
		lines = append(lines, fix.Instruction)
	}
	return lines
}

// proofWord tells whether the fix was proved or only tried.
func proofWord(fix *finding.Fix) string {
	if fix.Verified != nil && *fix.Verified {
		return "proved"
	}
	return "tried"
}

// cleaned joins lines, each made safe to print.
func cleaned(lines []string) string {
	safe := make([]string, len(lines))
	for i, line := range lines {
		safe[i] = clean(line)
	}
	return strings.Join(safe, "\n")
}

// imagePlatform is what a result's image is built for, "" when not known.
func imagePlatform(f *facts.Facts) string {
	if f == nil || f.Image.OS == "" {
		return ""
	}
	return f.Image.Platform()
}

// ignoredOnly is the result with the findings that the user had left out.
func ignoredOnly(r Result) Result {
	only := r
	only.Findings = nil
	for _, i := range r.Ignored {
		only.Findings = append(only.Findings, i.Finding)
	}
	return only
}

// ignoredText tells of a finding that was left out, and why.
func ignoredText(i Ignored) string {
	text := i.Rule + ": " + i.Message
	if i.Reason != "" {
		text += " (" + i.Reason + ")"
	}
	return clean(text)
}
