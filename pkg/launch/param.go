package launch

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func simple(p *syntax.ParamExp) bool {
	return !p.Excl && !p.Length && p.Index == nil && p.Slice == nil && p.Repl == nil && p.Exp == nil && p.Names == 0
}

// parameter is the value of one parameter expansion, or the word that takes
// its place.
func (s *shell) parameter(p *syntax.ParamExp, name string) (text string, instead *syntax.Word, ok bool) {
	if p.Excl || p.Length || p.Width || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 {
		return "", nil, false
	}
	text, set, ok := s.lookup(name)
	if p.Exp == nil || !ok {
		return text, nil, ok
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.AssignUnset, syntax.ErrorUnset:
		if set {
			return text, nil, true
		}
	case syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull, syntax.ErrorUnsetOrNull:
		if text != "" {
			return text, nil, true
		}
	case syntax.AlternateUnset:
		if !set {
			return "", nil, true
		}
	case syntax.AlternateUnsetOrNull:
		if text == "" {
			return "", nil, true
		}
	default:
		text, ok = s.trim(text, p.Exp)
		return text, nil, ok
	}
	return s.instead(name, p.Exp)
}

// instead is the word of ${X:-word}, ${X:+word}, ${X:=word} or ${X:?word}.
func (s *shell) instead(name string, exp *syntax.Expansion) (string, *syntax.Word, bool) {
	switch exp.Op {
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		return "", nil, false // the shell ends here
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		text, ok := s.value(exp.Word)
		s.f.vars.set(name, text, ok, false)
		return text, nil, ok
	}
	if exp.Word == nil {
		return "", nil, true
	}
	return "", exp.Word, true
}

// trim handles ${X#prefix} and ${X%suffix} without patterns.
func (s *shell) trim(text string, exp *syntax.Expansion) (string, bool) {
	what, ok := s.value(exp.Word)
	if !ok || strings.ContainsAny(what, "*?[") {
		return "", false
	}
	switch exp.Op {
	case syntax.RemSmallPrefix, syntax.RemLargePrefix:
		return strings.TrimPrefix(text, what), true
	case syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		return strings.TrimSuffix(text, what), true
	}
	return "", false
}

// lookup returns a variable or a positional parameter.
func (s *shell) lookup(name string) (text string, set, known bool) {
	if name == "#" {
		return strconv.Itoa(len(s.params)), true, true
	}
	if n, err := strconv.Atoi(name); err == nil {
		switch {
		case n == 0:
			return s.zero.Text, true, s.zero.Known
		case n <= len(s.params):
			return s.params[n-1].Text, true, s.params[n-1].Known
		}
		return "", false, true
	}
	if name == "PWD" && s.f.dir != "" {
		return s.f.dir, true, true
	}
	if !validName(name) { // $?, $!, $$
		return "", true, false
	}
	if s.f.blind != "" {
		return "", false, false
	}
	return s.f.vars.lookup(name)
}
