package servers

import (
	"errors"

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
