package servers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/syntax"
)

// pyScope evaluates Python expressions: strings, numbers, lists, arithmetic,
// conditions and the environment.
type pyScope struct {
	env  map[string]string
	vars map[string]any // an error: not known, and why
}

var errNotLiteral = errors.New("only a run can tell its value")

// evaluate parses with Starlark's grammar, which is Python's for what counts.
func (s *pyScope) evaluate(text string) (any, error) {
	plain, err := expandFStrings(text)
	if err != nil {
		return nil, err
	}
	expr, err := syntax.ParseExpr("", plain, 0)
	if err != nil {
		return nil, errNotLiteral
	}
	return s.eval(expr)
}

func (s *pyScope) eval(expr syntax.Expr) (any, error) {
	switch e := expr.(type) {
	case *syntax.Literal:
		if n, ok := e.Value.(int64); ok {
			return int(n), nil
		}
		return e.Value, nil
	case *syntax.ParenExpr:
		return s.eval(e.X)
	case *syntax.Ident:
		return s.name(e.Name)
	case *syntax.ListExpr:
		return s.list(e.List)
	case *syntax.TupleExpr:
		return s.list(e.List)
	case *syntax.BinaryExpr:
		return s.binary(e)
	case *syntax.CondExpr:
		cond, err := s.eval(e.Cond)
		if err != nil {
			return nil, err
		}
		if truthy(cond) {
			return s.eval(e.True)
		}
		return s.eval(e.False)
	case *syntax.IndexExpr:
		return s.index(e)
	case *syntax.CallExpr:
		return s.call(e)
	}
	return nil, errNotLiteral
}

func (s *pyScope) name(name string) (any, error) {
	switch name {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	value, ok := s.vars[name]
	if !ok {
		return nil, errNotLiteral
	}
	if err, bad := value.(error); bad {
		return nil, err
	}
	return value, nil
}

func (s *pyScope) list(items []syntax.Expr) (any, error) {
	all := []any{}
	for _, item := range items {
		value, err := s.eval(item)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func (s *pyScope) binary(e *syntax.BinaryExpr) (any, error) {
	x, err := s.eval(e.X)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Op == syntax.OR && truthy(x), e.Op == syntax.AND && !truthy(x):
		return x, nil
	}
	y, err := s.eval(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case syntax.OR, syntax.AND:
		return y, nil
	case syntax.EQL:
		return x == y, nil
	case syntax.NEQ:
		return x != y, nil
	case syntax.PERCENT:
		if format, ok := x.(string); ok {
			return percent(format, y)
		}
	}
	return arithmetic(e.Op, x, y)
}

func arithmetic(op syntax.Token, x, y any) (any, error) {
	a, okA := x.(string)
	b, okB := y.(string)
	if okA && okB && op == syntax.PLUS {
		return a + b, nil
	}
	m, okM := x.(int)
	n, okN := y.(int)
	if !okM || !okN {
		return nil, errNotLiteral
	}
	switch op {
	case syntax.PLUS:
		return m + n, nil
	case syntax.MINUS:
		return m - n, nil
	case syntax.STAR:
		return m * n, nil
	}
	return nil, errNotLiteral
}

// percent formats "%s:%d" % values.
func percent(format string, value any) (any, error) {
	values, ok := value.([]any)
	if !ok {
		values = []any{value}
	}
	for _, v := range values {
		i := strings.IndexByte(format, '%')
		if i < 0 || i+1 >= len(format) || strings.IndexByte("sdi", format[i+1]) < 0 {
			return nil, errNotLiteral
		}
		format = format[:i] + pyText(v) + format[i+2:]
	}
	return format, nil
}

func truthy(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case int:
		return v != 0
	case []any:
		return len(v) > 0
	}
	return false
}

// dotted spells a.b.c.
func dotted(expr syntax.Expr) string {
	switch e := expr.(type) {
	case *syntax.Ident:
		return e.Name
	case *syntax.DotExpr:
		return dotted(e.X) + "." + e.Name.Name
	}
	return "?"
}

func (s *pyScope) index(e *syntax.IndexExpr) (any, error) {
	if name := dotted(e.X); name != "os.environ" && name != "environ" {
		return nil, errNotLiteral
	}
	key, err := s.eval(e.Y)
	if err != nil {
		return nil, err
	}
	if value, ok := s.env[pyText(key)]; ok {
		return value, nil
	}
	return nil, fmt.Errorf("the variable %s is not set", pyText(key))
}

func (s *pyScope) call(e *syntax.CallExpr) (any, error) {
	var args []any
	for _, a := range e.Args {
		value, err := s.eval(a)
		if err != nil {
			return nil, err
		}
		args = append(args, value)
	}
	name := dotted(e.Fn)
	if dot, ok := e.Fn.(*syntax.DotExpr); ok && dot.Name.Name == "format" {
		return s.format(dot.X, args)
	}
	if len(args) == 0 {
		return nil, errNotLiteral
	}
	switch name {
	case "os.environ.get", "os.getenv", "environ.get", "getenv":
		if value, ok := s.env[pyText(args[0])]; ok {
			return value, nil
		}
		if len(args) > 1 {
			return args[1], nil
		}
		return nil, nil
	case "int":
		n, err := strconv.Atoi(strings.TrimSpace(pyText(args[0])))
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", pyText(args[0]))
		}
		return n, nil
	case "str":
		return pyText(args[0]), nil
	}
	return nil, errNotLiteral
}

// format fills "{}:{}".format(a, b).
func (s *pyScope) format(on syntax.Expr, args []any) (any, error) {
	value, err := s.eval(on)
	text, ok := value.(string)
	if err != nil || !ok {
		return nil, errNotLiteral
	}
	for i, a := range args {
		numbered := "{" + strconv.Itoa(i) + "}"
		switch {
		case strings.Contains(text, numbered):
			text = strings.ReplaceAll(text, numbered, pyText(a))
		case strings.Contains(text, "{}"):
			text = strings.Replace(text, "{}", pyText(a), 1)
		default:
			return nil, errNotLiteral
		}
	}
	return text, nil
}

// expandFStrings turns f"a{x}b" into ("a"+str(x)+"b").
func expandFStrings(text string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '"' && c != '\'' {
			isF := (c == 'f' || c == 'F') && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\'') && (i == 0 || !wordByte(text[i-1]))
			if !isF {
				out.WriteByte(c)
				continue
			}
			i++
		}
		end := i + 1
		for end < len(text) && text[end] != text[i] {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			return "", errNotLiteral
		}
		if c != 'f' && c != 'F' {
			out.WriteString(text[i : end+1])
		} else if err := fString(&out, text[i+1:end], text[i:i+1]); err != nil {
			return "", err
		}
		i = end
	}
	return out.String(), nil
}

func fString(out *strings.Builder, body, quote string) error {
	out.WriteString("(" + quote)
	for body != "" {
		before, rest, found := strings.Cut(body, "{")
		out.WriteString(before)
		if !found {
			break
		}
		expr, after, closed := strings.Cut(rest, "}")
		if !closed || strings.HasPrefix(expr, "{") || strings.ContainsAny(expr, "!:") {
			return errNotLiteral
		}
		out.WriteString(quote + "+str(" + expr + ")+" + quote)
		body = after
	}
	out.WriteString(quote + ")")
	return nil
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
