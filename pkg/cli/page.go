package cli

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Escape sequences of a terminal (ECMA-48).
const (
	bold  = "\x1b[1m"
	cyan  = "\x1b[36m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

// widest is what is still pleasant to read.
const widest = 88

// page shows Markdown: as it is in pipes, and set for reading on a terminal.
func (io IO) page(markdown string) string {
	if !io.OutTerminal {
		return markdown
	}
	colour := io.Getenv("NO_COLOR") == "" && io.Getenv("TERM") != "dumb"
	return setPage(markdown, min(io.OutWidth(), widest), colour)
}

// setPage renders the Markdown that rule pages use: headings, paragraphs,
// lists, tables, fenced code, and bold and code within lines.
func setPage(markdown string, width int, colour bool) string {
	p := &typesetter{width: max(width, 20), colour: colour}
	fence := ""
	for _, line := range strings.Split(strings.TrimRight(markdown, "\n"), "\n") {
		switch mark := fenceMark.FindString(line); {
		case fence == "" && mark != "":
			p.flush()
			fence = mark
		case fence != "" && strings.TrimRight(line, " ") == fence:
			fence = ""
		case fence != "":
			p.out.WriteString("  " + p.code(line) + "\n")
		default:
			p.line(line)
		}
	}
	p.flush()
	return p.out.String()
}

var (
	fenceMark = regexp.MustCompile("^(```+|~~~+)")
	listItem  = regexp.MustCompile(`^(\s*(?:[-*]|\d+\.) )(.*)$`)
)

// typesetter collects the lines of a paragraph until it ends.
type typesetter struct {
	out       strings.Builder
	width     int
	colour    bool
	paragraph []string
	indent    string // of a list item's further lines
}

func (p *typesetter) line(line string) {
	switch {
	case strings.TrimSpace(line) == "":
		p.flush()
		p.out.WriteString("\n")
	case strings.HasPrefix(line, "#"):
		p.flush()
		p.out.WriteString(p.dress(bold, strings.TrimLeft(line, "# ")) + "\n")
	case strings.HasPrefix(line, "|"):
		p.flush()
		p.out.WriteString(p.inline(line) + "\n")
	case listItem.MatchString(line):
		p.flush()
		p.indent = strings.Repeat(" ", utf8.RuneCountInString(listItem.FindStringSubmatch(line)[1]))
		p.paragraph = []string{line}
	default:
		p.paragraph = append(p.paragraph, strings.TrimSpace(line))
	}
}

// flush sets the paragraph: words that fit in the width, with what is bold or
// code dressed after the lines are broken, since that has no width.
func (p *typesetter) flush() {
	text := strings.Join(p.paragraph, " ")
	p.paragraph = nil
	lead, column := "", 0
	if m := listItem.FindStringSubmatch(text); m != nil {
		lead, text = m[1], m[2]
		column = utf8.RuneCountInString(lead)
	}
	var b strings.Builder
	b.WriteString(lead)
	for i, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(strings.NewReplacer("**", "", "`", "").Replace(word))
		switch {
		case i == 0:
		case column+1+size > p.width:
			b.WriteString("\n" + p.indent)
			column = len(p.indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += size
	}
	p.indent = ""
	if b.Len() > 0 {
		p.out.WriteString(p.inline(b.String()) + "\n")
	}
}

var (
	strong   = regexp.MustCompile(`(?s)\*\*(.+?)\*\*`)
	codeSpan = regexp.MustCompile("(?s)`([^`]+)`")
)

func (p *typesetter) inline(text string) string {
	text = strong.ReplaceAllStringFunc(text, func(s string) string { return p.dress(bold, strings.Trim(s, "*")) })
	return codeSpan.ReplaceAllStringFunc(text, func(s string) string {
		if !p.colour {
			return s
		}
		return p.dress(cyan, strings.Trim(s, "`"))
	})
}

// code sets a line of a code block; comments step back.
func (p *typesetter) code(line string) string {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return p.dress(faint, line)
	}
	return p.dress(cyan, line)
}

func (p *typesetter) dress(with, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return with + text + plain
}
