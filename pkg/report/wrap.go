package report

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// escape is one escape sequence of Style's, which takes no column.
var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// hanging is what a continued line stands indented behind: a verdict, or a word
// and a time.
var hanging = regexp.MustCompile(`^ +(?:[A-Z]+  |[a-z-]+ +(?:[0-9.]+s  )?)`)

// leastWidth is a width below which lines are left to the terminal.
const leastWidth = 30

// wrap breaks a line between words so that it fits a terminal of that width, 0
// meaning none; what follows is indented as far as the text of the line is.
func wrap(line string, width int) string {
	if width < leastWidth || columns(line) <= width {
		return line
	}
	plain := escape.ReplaceAllString(line, "")
	indent := strings.Repeat(" ", min(len(hanging.FindString(plain)), width/2))
	if indent == "" {
		indent = "  "
	}
	var b strings.Builder
	used := 0 // columns of this line
	for i, word := range strings.SplitAfter(line, " ") {
		n := columns(strings.TrimRight(word, " "))
		if i > 0 && used+n > width && used > len(indent) {
			b.WriteString("\n" + indent)
			used = len(indent)
		}
		b.WriteString(word)
		used += columns(word)
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// columns counts the characters that are seen.
func columns(text string) int {
	return utf8.RuneCountInString(escape.ReplaceAllString(text, ""))
}
