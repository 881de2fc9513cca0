package dockerfile

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/imglint/imglint/pkg/facts"
)

// text is a Dockerfile as lines with their line ends, to be edited in place.
// A removed line is "" so that line numbers stay.
type text struct {
	lines []string
	eol   string
}

func newText(src []byte) *text {
	t := &text{lines: splitLines(string(src)), eol: "\n"}
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		t.eol = "\r\n"
	}
	return t
}

func (t *text) bytes() []byte { return []byte(strings.Join(t.lines, "")) }

// replace puts an instruction where another stands, with its indent, the case
// of its keyword and its line end.
func (t *text) replace(at facts.Instruction, instruction string) {
	last := t.lines[at.EndLine-1]
	end := last[len(strings.TrimRight(last, "\r\n")):]
	first := t.lines[at.Line-1]
	indent := first[:len(first)-len(strings.TrimLeft(first, " \t\uFEFF"))]
	t.remove(at)
	t.lines[at.Line-1] = indent + t.dressed(instruction, at.Text) + end
}

func (t *text) remove(at facts.Instruction) {
	for i := at.Line; i <= at.EndLine; i++ {
		t.lines[i-1] = ""
	}
}

// insert adds an instruction as a line of its own in front of line, with the
// keyword case of the instruction like.
func (t *text) insert(line int, instruction, like string) []byte {
	added := t.dressed(instruction, like) + t.eol
	if line > len(t.lines) {
		if last := t.lines[len(t.lines)-1]; !strings.HasSuffix(last, "\n") {
			added = t.eol + strings.TrimSuffix(added, t.eol)
		}
	}
	i := min(line-1, len(t.lines))
	t.lines = slices.Insert(t.lines, i, added)
	return t.bytes()
}

// aboveComment returns the first line of the comment that stands directly
// above line and so belongs to it.
func (t *text) aboveComment(line int) int {
	for line > 1 && line <= len(t.lines) && strings.HasPrefix(strings.TrimSpace(t.lines[line-2]), "#") {
		line--
	}
	return line
}

// dressed writes the instruction with the file's line ends and with its
// keyword in lower case where the neighbour's is.
func (t *text) dressed(instruction, like string) string {
	verb, rest, _ := strings.Cut(instruction, " ")
	if neighbour := strings.TrimSpace(like); neighbour != "" && unicode.IsLower(rune(neighbour[0])) {
		instruction = strings.ToLower(verb) + " " + rest
	}
	return strings.ReplaceAll(instruction, "\n", t.eol)
}

// envKeys are the variables that the text of an ENV instruction sets.
func envKeys(instruction string) []string {
	tree, err := parser.Parse(strings.NewReader(instruction))
	if err != nil || len(tree.AST.Children) != 1 {
		return nil
	}
	command, err := instructions.ParseCommand(tree.AST.Children[0])
	env, ok := command.(*instructions.EnvCommand)
	if err != nil || !ok {
		return nil
	}
	var keys []string
	for _, kv := range env.Env {
		keys = append(keys, kv.Key)
	}
	return keys
}
