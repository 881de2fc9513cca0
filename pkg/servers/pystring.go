package servers

import (
	"fmt"
	"strconv"
	"strings"

	"go.starlark.net/syntax"
)

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
