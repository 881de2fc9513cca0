package servers

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// pyConf are the top-level assignments of a Python configuration file.
type pyConf struct {
	values map[string]pyValue
}

// pyValue is a setting's value; texts holds more than one for a list. err says
// why the value is not known.
type pyValue struct {
	texts []string
	line  int
	err   error
}

var (
	assignment   = regexp.MustCompile(`^([A-Za-z_]\w*)\s*(?::[^=]+)?(\+?)=\s*([^=].*)$`)
	starImport   = regexp.MustCompile(`^from\s+\S+\s+import\s+\*|\bexec\(|\bglobals\(\)|\blocals\(\)|\bsetattr\(`)
	unpacking    = regexp.MustCompile(`^([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)+)\s*=`)
	globalNames  = regexp.MustCompile(`^global\s+(.+)$`)
	importedName = regexp.MustCompile(`^(?:from\s+\S+\s+)?import\s+(.+)$`)
)

// readPyConf evaluates what is literal, arithmetic or read from the
// environment, and says of the rest why it is not known.
func readPyConf(text string, env map[string]string) pyConf {
	c := pyConf{values: map[string]pyValue{}}
	scope := &pyScope{env: env, vars: map[string]any{}}
	block := "" // the first word of the top-level statement around
	for _, l := range logicalLines(text) {
		if starImport.MatchString(l.text) {
			c.forgetAll(l.line)
			continue
		}
		if l.indent > 0 {
			c.nested(l, block, scope)
			continue
		}
		block, _, _ = strings.Cut(l.text, " ")
		c.topLevel(l, scope)
	}
	return c
}

func (c *pyConf) topLevel(l pyLine, scope *pyScope) {
	if m := assignment.FindStringSubmatch(l.text); m != nil && m[2] == "" {
		value, err := scope.evaluate(m[3])
		scope.vars[m[1]] = value
		if err != nil {
			scope.vars[m[1]] = err
		}
		c.values[m[1]] = toSetting(value, err, l.line)
		return
	} else if m != nil {
		c.forget(m[1], scope, l.line, "it is changed with +=")
	}
	if m := unpacking.FindStringSubmatch(l.text); m != nil {
		for _, name := range strings.Split(m[1], ",") {
			c.forget(strings.TrimSpace(name), scope, l.line, "it is unpacked")
		}
	}
	if m := importedName.FindStringSubmatch(l.text); m != nil {
		for _, name := range strings.Split(m[1], ",") {
			words := strings.Fields(strings.Trim(name, "()"))
			if len(words) > 0 && words[0] != "os" {
				c.forget(words[len(words)-1], scope, l.line, "it is imported")
			}
		}
	}
	if body, _, ok := oneLineBlock(l.text); ok {
		c.nested(pyLine{text: body, line: l.line, indent: 1}, "if", scope)
	}
}

// oneLineBlock splits `if x: y = 1`.
func oneLineBlock(text string) (body, head string, ok bool) {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "if", "else:", "elif", "for", "while", "try:", "with":
		head, body, ok = strings.Cut(text, ": ")
		return strings.TrimSpace(body), head, ok && body != ""
	}
	return "", "", false
}

// nested forgets what a block may assign.
func (c *pyConf) nested(l pyLine, block string, scope *pyScope) {
	if block == "def" || block == "class" || block == "async" || strings.HasPrefix(block, "@") {
		if m := globalNames.FindStringSubmatch(l.text); m != nil {
			for _, name := range strings.Split(m[1], ",") {
				c.forget(strings.TrimSpace(name), scope, l.line, "a function sets it")
			}
		}
		return
	}
	if m := assignment.FindStringSubmatch(l.text); m != nil {
		c.forget(m[1], scope, l.line, "it is set conditionally")
	}
}

func (c *pyConf) forget(name string, scope *pyScope, line int, why string) {
	err := errors.New(why)
	scope.vars[name] = err
	c.values[name] = pyValue{line: line, err: err}
}

func (c *pyConf) forgetAll(line int) {
	for name := range gunicornSettings {
		c.values[name] = pyValue{line: line, err: errors.New("it may be set elsewhere")}
	}
}

// toSetting turns a value into texts.
func toSetting(value any, err error, line int) pyValue {
	v := pyValue{line: line, err: err}
	if list, ok := value.([]any); ok && err == nil {
		for _, item := range list {
			if e, isErr := item.(error); isErr {
				v.err = e
			}
			v.texts = append(v.texts, pyText(item))
		}
		return v
	}
	if value == nil && err == nil {
		v.err = errors.New("it is None")
	} else if err == nil {
		v.texts = []string{pyText(value)}
	}
	return v
}

func pyText(value any) string {
	switch value := value.(type) {
	case bool:
		if value {
			return "True"
		}
		return "False"
	case nil:
		return "None"
	}
	return fmt.Sprint(value)
}

// pyLine is one logical line without its comment.
type pyLine struct {
	text   string
	indent int
	line   int
}

// logicalLines joins brackets, backslashes and long strings.
func logicalLines(text string) []pyLine {
	s := pySplitter{text: strings.ReplaceAll(text, "\r\n", "\n"), line: 1}
	for s.at < len(s.text) {
		s.next()
	}
	s.end()
	return s.lines
}

type pySplitter struct {
	text    string
	at      int
	line    int
	start   int
	depth   int
	current strings.Builder
	lines   []pyLine
}

func (s *pySplitter) next() {
	c := s.text[s.at]
	if s.current.Len() == 0 {
		s.start = s.line
	}
	switch {
	case c == '#':
		if i := strings.IndexByte(s.text[s.at:], '\n'); i >= 0 {
			s.at += i
			return
		}
		s.at = len(s.text)
		return
	case c == '"' || c == '\'':
		s.quoted(c)
		return
	case strings.IndexByte("([{", c) >= 0:
		s.depth++
	case strings.IndexByte(")]}", c) >= 0:
		s.depth--
	case c == '\\' && strings.HasPrefix(s.text[s.at:], "\\\n"):
		s.at += 2
		s.line++
		return
	case c == '\n':
		s.line++
		s.at++
		if s.depth > 0 {
			s.current.WriteByte(' ')
			return
		}
		s.end()
		return
	}
	s.current.WriteByte(c)
	s.at++
}

// quoted copies a string literal.
func (s *pySplitter) quoted(quote byte) {
	mark := string(quote)
	if strings.HasPrefix(s.text[s.at:], strings.Repeat(mark, 3)) {
		mark = strings.Repeat(mark, 3)
	}
	end := s.at + len(mark)
	for end < len(s.text) && !strings.HasPrefix(s.text[end:], mark) {
		if s.text[end] == '\\' {
			end++
		} else if s.text[end] == '\n' && len(mark) == 1 {
			break
		}
		end++
	}
	end = min(end+len(mark), len(s.text))
	s.line += strings.Count(s.text[s.at:end], "\n")
	s.current.WriteString(s.text[s.at:end])
	s.at = end
}

func (s *pySplitter) end() {
	text := s.current.String()
	s.current.Reset()
	s.depth = 0
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return
	}
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	s.lines = append(s.lines, pyLine{text: trimmed, indent: indent, line: s.start})
}
