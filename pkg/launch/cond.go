package launch

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

func not(t facts.Tri) facts.Tri {
	switch t {
	case facts.Yes:
		return facts.No
	case facts.No:
		return facts.Yes
	}
	return t
}

func truth(b bool) facts.Tri {
	if b {
		return facts.Yes
	}
	return facts.No
}

func both(a, b facts.Tri) facts.Tri {
	switch {
	case a == facts.No || b == facts.No:
		return facts.No
	case a == facts.Yes && b == facts.Yes:
		return facts.Yes
	}
	return facts.Unknown
}

// isTest reports whether a statement only asks something.
func isTest(stmt *syntax.Stmt) bool {
	switch cmd := stmt.Cmd.(type) {
	case *syntax.TestClause:
		return true
	case *syntax.CallExpr:
		if len(cmd.Args) == 0 {
			return false
		}
		switch cmd.Args[0].Lit() {
		case "[", "test", "grep", "which", "type", "command", "false", "true", ":":
			return true
		}
	case *syntax.Block:
		return len(cmd.Stmts) == 1 && isTest(cmd.Stmts[0])
	case *syntax.BinaryCmd:
		return cmd.Op != syntax.Pipe && isTest(cmd.X) && isTest(cmd.Y)
	}
	return false
}

// condList is the truth of the last statement, when the others only ask.
func (s *shell) condList(stmts []*syntax.Stmt) facts.Tri {
	if len(stmts) != 1 {
		return facts.Unknown
	}
	return s.cond(stmts[0])
}

// cond is the truth of a condition, as far as the image tells.
func (s *shell) cond(stmt *syntax.Stmt) facts.Tri {
	result := facts.Unknown
	switch cmd := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		result = s.condCall(cmd)
	case *syntax.Block:
		result = s.condList(cmd.Stmts)
	case *syntax.BinaryCmd:
		x, y := s.cond(cmd.X), s.cond(cmd.Y)
		switch cmd.Op {
		case syntax.AndStmt:
			result = both(x, y)
		case syntax.OrStmt:
			result = not(both(not(x), not(y)))
		}
	case *syntax.TestClause:
		result = s.condTest(cmd.X)
	}
	if stmt.Negated {
		return not(result)
	}
	return result
}

func (s *shell) condCall(call *syntax.CallExpr) facts.Tri {
	words := s.fields(call.Args)
	if len(words) == 0 || !words[0].Known {
		return facts.Unknown
	}
	switch words[0].Text {
	case "true", ":":
		return facts.Yes
	case "false":
		return facts.No
	case "command", "which", "type":
		if n := len(words); words[n-1].Known && n > 1 {
			return s.f.find(words[n-1].Text).Found
		}
	case "[":
		if n := len(words); words[n-1].Text == "]" {
			return s.condWords(words[1 : n-1])
		}
	case "test":
		return s.condWords(words[1:])
	}
	return facts.Unknown
}

// condWords evaluates the operands of test: -o, then -a, then !.
func (s *shell) condWords(words []word) facts.Tri {
	for _, op := range []string{"-o", "-a"} {
		for i := 1; i+1 < len(words); i++ {
			if words[i].Text != op || !words[i].Known {
				continue
			}
			left, right := s.condWords(words[:i]), s.condWords(words[i+1:])
			if op == "-a" {
				return both(left, right)
			}
			return not(both(not(left), not(right)))
		}
	}
	if len(words) > 1 && words[0].Text == "!" {
		return not(s.condWords(words[1:]))
	}
	for _, w := range words {
		if !w.Known {
			return facts.Unknown
		}
	}
	switch len(words) {
	case 0:
		return facts.No
	case 1:
		return truth(words[0].Text != "")
	case 2:
		return s.condUnary(words[0].Text, words[1].Text)
	case 3:
		return condBinary(words[0].Text, words[1].Text, words[2].Text)
	}
	return facts.Unknown
}

func condBinary(a, op, b string) facts.Tri {
	switch op {
	case "=", "==":
		return truth(a == b)
	case "!=":
		return truth(a != b)
	}
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX != nil || errY != nil {
		return facts.Unknown
	}
	switch op {
	case "-eq":
		return truth(x == y)
	case "-ne":
		return truth(x != y)
	case "-gt":
		return truth(x > y)
	case "-ge":
		return truth(x >= y)
	case "-lt":
		return truth(x < y)
	case "-le":
		return truth(x <= y)
	}
	return facts.Unknown
}

// condUnary asks the image's files. Once programs ran, a file that is not
// there may have been made.
func (s *shell) condUnary(op, text string) facts.Tri {
	switch op {
	case "-z":
		return truth(text == "")
	case "-n":
		return truth(text != "")
	case "-f", "-e", "-d", "-x", "-s", "-r":
	default:
		return facts.Unknown
	}
	if !path.IsAbs(text) && s.f.dir == "" {
		return facts.Unknown
	}
	file := path.Join(s.f.dir, text)
	if path.IsAbs(text) {
		file = path.Clean(text)
	}
	info, found := s.f.stat(file)
	if found != facts.Yes {
		if len(s.f.launch.Before) > 0 {
			return facts.Unknown
		}
		return found
	}
	switch op {
	case "-f":
		return truth(info.Mode().IsRegular())
	case "-d":
		return truth(info.IsDir())
	case "-s":
		return truth(info.Size() > 0)
	case "-x":
		return s.f.executable(file, info)
	case "-r":
		return truth(info.Mode()&fs.ModePerm&0o444 == 0o444)
	}
	return facts.Yes
}

// condTest evaluates [[ … ]].
func (s *shell) condTest(expr syntax.TestExpr) facts.Tri {
	switch x := expr.(type) {
	case *syntax.Word:
		text, ok := s.value(x)
		if !ok {
			return facts.Unknown
		}
		return truth(text != "")
	case *syntax.ParenTest:
		return s.condTest(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			return not(s.condTest(x.X))
		}
		if w, ok := x.X.(*syntax.Word); ok {
			if text, ok := s.value(w); ok {
				return s.condUnary(x.Op.String(), text)
			}
		}
	case *syntax.BinaryTest:
		return s.condBinaryTest(x)
	}
	return facts.Unknown
}

func (s *shell) condBinaryTest(x *syntax.BinaryTest) facts.Tri {
	switch x.Op {
	case syntax.AndTest:
		return both(s.condTest(x.X), s.condTest(x.Y))
	case syntax.OrTest:
		return not(both(not(s.condTest(x.X)), not(s.condTest(x.Y))))
	}
	left, ok1 := x.X.(*syntax.Word)
	right, ok2 := x.Y.(*syntax.Word)
	if !ok1 || !ok2 {
		return facts.Unknown
	}
	a, known1 := s.value(left)
	b, known2 := s.value(right)
	if !known1 || !known2 {
		return facts.Unknown
	}
	switch x.Op {
	case syntax.TsMatchShort, syntax.TsMatch:
		return matches(b, a)
	case syntax.TsNoMatch:
		return not(matches(b, a))
	}
	return condBinary(a, x.Op.String(), b)
}

// matches reports whether a shell pattern matches the whole text.
func matches(pat, text string) facts.Tri {
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return facts.Unknown
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return facts.Unknown
	}
	return truth(re.MatchString(text))
}
