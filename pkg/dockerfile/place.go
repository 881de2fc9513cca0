package dockerfile

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Place fills in where the reader should look: the instruction of the
// Dockerfile that decided p.Field and p.Words in it, or the entry of the
// image's history when there is no Dockerfile (d is nil) or when it leaves the
// field to its base image.
func Place(d *facts.Dockerfile, img facts.Image, p finding.Place) finding.Place {
	if p.Field == finding.FieldNone {
		return p
	}
	if d == nil {
		return fromHistory(img, p)
	}
	p.File = d.File
	own := d.Fields[p.Field]
	if len(own) == 0 {
		if has(img.Config, p.Field) {
			p.Inherited = d.Base
			return fromHistory(img, p)
		}
		return beside(d, p)
	}
	at, span := own[len(own)-1], span{}
	for i := range own {
		if s, ok := locate(own[len(own)-1-i].Text, p.Words); ok {
			at, span = own[len(own)-1-i], s
			break
		}
	}
	lines := strings.Split(at.Text, "\n")
	p.Line, p.EndLine, p.Source = at.Line, at.EndLine, lines[0]
	if span.endColumn > 0 {
		p.Line, p.EndLine = at.Line+span.line, at.Line+span.endLine
		p.Column, p.EndColumn = span.column, span.endColumn
		p.Source = lines[span.line]
	}
	return p
}

// beside places a finding about a field that nothing sets: at what starts the
// program, next to which it would stand, or at the last line.
func beside(d *facts.Dockerfile, p finding.Place) finding.Place {
	for _, f := range []finding.Field{finding.FieldCmd, finding.FieldEntrypoint} {
		if own := d.Fields[f]; len(own) > 0 {
			at := own[len(own)-1]
			p.Line, p.EndLine = at.Line, at.EndLine
			p.Source, _, _ = strings.Cut(at.Text, "\n")
			return p
		}
	}
	p.Line, p.EndLine = d.End, d.End
	return p
}

// fromHistory places a finding at the history entry that set the field last,
// or the last one with the words in it.
func fromHistory(img facts.Image, p finding.Place) finding.Place {
	var entries []string
	for _, o := range FromHistory(img) {
		if o.Field == p.Field {
			entries = append(entries, o.Text)
		}
	}
	if len(entries) == 0 {
		return p
	}
	p.Source = entries[len(entries)-1]
	for i := range entries {
		text := entries[len(entries)-1-i]
		if s, ok := locate(text, p.Words); ok && s.line == 0 && s.endLine == 0 {
			p.Source, p.Column, p.EndColumn = text, s.column, s.endColumn
			break
		}
	}
	return p
}

// span is where words stand in an instruction: lines count from 0, columns in
// bytes from 1, endColumn is one past the last byte.
type span struct{ line, endLine, column, endColumn int }

// locate finds words in an instruction's text when they stand there once:
// first as a whole JSON string with its quotes, then as a whole word, then
// anywhere, then as words of the exec form with quotes and commas between.
func locate(text, words string) (span, bool) {
	if strings.TrimSpace(words) == "" || !utf8.ValidString(words) { // regexp takes no other text
		return span{}, false
	}
	body := blankComments(text)
	quoted := regexp.QuoteMeta(words)
	fields := strings.Fields(words)
	for i, f := range fields {
		fields[i] = regexp.QuoteMeta(f)
	}
	for _, pattern := range []string{
		regexp.QuoteMeta(jsonWord(words)),
		`(?:^|[\s\[,"'=])(` + quoted + `)(?:$|[\s\],"'])`,
		quoted,
		`["']?` + strings.Join(fields, `["']?[\s,\\]+["']?`) + `["']?`,
	} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatchIndex(body, 2)
		if len(found) == 1 {
			m := found[0]
			return position(text, m[len(m)-2], m[len(m)-1]), true
		}
		if len(found) > 1 {
			return span{}, false
		}
	}
	return span{}, false
}

// blankComments hides the comment lines within a continued instruction
// without moving a byte.
func blankComments(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if i > 0 && strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines[i] = strings.Repeat(" ", len(line))
		}
	}
	return strings.Join(lines, "\n")
}

func position(text string, from, to int) span {
	at := func(offset int) (line, column int) {
		before := text[:offset]
		return strings.Count(before, "\n"), offset - strings.LastIndex(before, "\n")
	}
	s := span{}
	s.line, s.column = at(from)
	s.endLine, s.endColumn = at(to)
	return s
}
