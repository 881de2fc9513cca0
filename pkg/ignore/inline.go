package ignore

import (
	"fmt"
	"regexp"
	"strings"
)

// comment is "# imglint ignore=RULE reason"; what follows ignore= is read by parse.
var comment = regexp.MustCompile(`^[ \t]*#[ \t]*imglint[ \t]+ignore=(.*)$`)

// escapeDirective is the parser directive that changes what continues a line.
var escapeDirective = regexp.MustCompile("(?i)^[ \t]*#[ \t]*escape[ \t]*=[ \t]*`")

// Inline reads the comments of a Dockerfile that imglint knows. Each holds for
// the instruction below it, with its continuation lines.
func Inline(file string, text []byte) ([]Ignore, []error) {
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	escape := `\`
	if escapeDirective.MatchString(strings.TrimPrefix(lines[0], "\uFEFF")) {
		escape = "`"
	}
	var waiting, all []Ignore
	var errs []error
	for n := 0; n < len(lines); n++ {
		line := lines[n]
		if m := comment.FindStringSubmatch(line); m != nil {
			ignores, err := parse(m[1], fmt.Sprintf("%s:%d", file, n+1))
			if err != nil {
				errs = append(errs, err)
			}
			waiting = append(waiting, ignores...)
			continue
		}
		if blank(line) {
			continue
		}
		first := n
		n = lastLine(lines, n, escape)
		for _, i := range waiting {
			i.File, i.Line, i.EndLine = file, first+1, n+1
			all = append(all, i)
		}
		waiting = nil
	}
	for _, i := range waiting {
		errs = append(errs, fmt.Errorf("%s: ignore %s: no instruction is below it", i.From, i.Rule))
	}
	return all, errs
}

func blank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "#")
}

// lastLine returns the last line of the instruction that begins at n: comments
// and blank lines within a continued instruction belong to it, and so do the
// bodies of here-documents.
func lastLine(lines []string, n int, escape string) int {
	first := n
	for n+1 < len(lines) && (strings.HasSuffix(strings.TrimRight(lines[n], " \t"), escape) || n > first && blank(lines[n])) {
		n++
	}
	for _, end := range hereDocuments(lines[first : n+1]) {
		for n+1 < len(lines) {
			n++
			if strings.TrimLeft(lines[n], "\t") == end {
				break
			}
		}
	}
	return n
}

var hereDocument = regexp.MustCompile(`(?:^|\s)\d?<<-?["']?([A-Za-z0-9_]+)["']?`)

// hereDocuments returns the words that end the here-documents of an
// instruction; only these three can have any.
func hereDocuments(instruction []string) []string {
	verb, _, _ := strings.Cut(strings.TrimSpace(instruction[0]), " ")
	switch strings.ToUpper(verb) {
	case "RUN", "COPY", "ADD":
	default:
		return nil
	}
	var ends []string
	for _, m := range hereDocument.FindAllStringSubmatch(strings.Join(instruction, "\n"), -1) {
		ends = append(ends, m[1])
	}
	return ends
}
