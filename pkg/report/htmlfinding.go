package report

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// findingView is what the template sees of one finding.
type findingView struct {
	Class, Rule, URL string
	Message          string
	Where            string
	Source           []sourceLine
	Detail           string
	Evidence         []evidenceView
	Fix              *fixView
}

// sourceLine is a line of a Dockerfile; Marked are its offending words.
type sourceLine struct {
	Number                string
	Before, Marked, After string
}

type evidenceView struct{ Kind, At, Text string }

type fixView struct {
	Description string
	Instruction string
	Diff        []diffView
	File        string
	Class       string // of the proof; "": the fix was not tried
	Word        string
	Proof       string
}

type diffView struct{ Class, Mark, Old, New, Text string }

func findingViewOf(f finding.Finding) findingView {
	v := findingView{
		Class: f.Severity.String(), Rule: clean(f.Rule), URL: ruleURL(f.Rule), Message: clean(f.Message),
		Where: clean(strings.TrimSuffix(placed(f.Place), ": ")), Source: sourceLines(f.Place), Detail: clean(f.Detail),
	}
	for _, e := range f.Evidence {
		at := ""
		if e.At > 0 {
			at = fmt.Sprintf("%.1fs", e.At)
		}
		v.Evidence = append(v.Evidence, evidenceView{clean(e.Kind), at, clean(e.Text)})
	}
	if f.Fix != nil {
		v.Fix = fixViewOf(f)
	}
	return v
}

// sourceLines splits the place's source; the words are marked in its first line.
func sourceLines(p finding.Place) []sourceLine {
	if p.Source == "" {
		return nil
	}
	var lines []sourceLine
	for i, text := range strings.Split(strings.TrimSuffix(p.Source, "\n"), "\n") {
		line := sourceLine{}
		if p.File != "" && p.Line > 0 {
			line.Number = fmt.Sprint(p.Line + i)
		}
		start, end := 0, 0
		if i == 0 {
			start, end = span(p, text)
		}
		tail := strings.TrimSuffix(text[end:], "\r")
		line.Before, line.Marked, line.After = clean(text[:start]), clean(text[start:end]), clean(tail)
		lines = append(lines, line)
	}
	return lines
}

func fixViewOf(f finding.Finding) *fixView {
	fix := f.Fix
	v := &fixView{Description: capital(clean(fix.Description)), Instruction: cleaned(toType(fix)), File: clean(f.Place.File)}
	files := fileDiffs(fix.Diff)
	for _, file := range files {
		if len(files) > 1 {
			v.Diff = append(v.Diff, diffView{Class: "same", Mark: " ", Text: clean(file.file) + ":"})
		}
		v.lines(file.diff)
	}
	if len(files) == 1 {
		v.File = clean(namedBy(f, files[0].file))
	}
	if fix.Verified != nil && fix.Proof != "" {
		v.Class, v.Word, v.Proof = "unknown", capital(proofWord(fix)), clean(fix.Proof)
		if *fix.Verified {
			v.Class = "pass"
		}
	}
	return v
}

// lines adds the lines of one file's diff.
func (v *fixView) lines(diff string) {
	for _, l := range diffLines(diff) {
		d := diffView{Mark: l.Mark, Text: clean(strings.TrimSuffix(l.Text, "\r"))}
		d.Class = map[string]string{"+": "added", "-": "removed", " ": "same"}[l.Mark]
		if l.Old > 0 {
			d.Old = fmt.Sprint(l.Old)
		}
		if l.New > 0 {
			d.New = fmt.Sprint(l.New)
		}
		v.Diff = append(v.Diff, d)
	}
}
