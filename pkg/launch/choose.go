package launch

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// choose follows a case statement whose word is known.
func (s *shell) choose(cmd *syntax.CaseClause, last bool) outcome {
	text, ok := s.value(cmd.Word)
	if !ok {
		return s.compound(cmd, last, "a case statement")
	}
	for _, item := range cmd.Items {
		for _, p := range item.Patterns {
			pat, ok := s.pattern(p)
			if !ok {
				return s.compound(cmd, last, "a case statement")
			}
			switch matches(pat, text) {
			case facts.Unknown:
				return s.compound(cmd, last, "a case statement")
			case facts.Yes:
				if item.Op != syntax.Break {
					return s.compound(cmd, last, "a case statement")
				}
				if len(item.Stmts) == 0 {
					return s.endsAt(last, "a case statement")
				}
				return s.list(item.Stmts, last)
			}
		}
	}
	return s.endsAt(last, "a case statement")
}

// pattern expands a pattern; what is quoted in it is literal.
func (s *shell) pattern(w *syntax.Word) (string, bool) {
	var b strings.Builder
	for _, part := range w.Parts {
		if lit, ok := part.(*syntax.Lit); ok {
			b.WriteString(lit.Value)
			continue
		}
		text, ok := s.value(&syntax.Word{Parts: []syntax.WordPart{part}})
		if !ok {
			return "", false
		}
		b.WriteString(pattern.QuoteMeta(text, 0))
	}
	return b.String(), true
}

// substitute is the output of the few commands that the image decides.
func (s *shell) substitute(sub *syntax.CmdSubst) (text string, ok bool) {
	if len(sub.Stmts) != 1 {
		return "", false
	}
	call, isCall := sub.Stmts[0].Cmd.(*syntax.CallExpr)
	if !isCall || len(call.Args) == 0 {
		return "", false
	}
	words := s.fields(call.Args)
	for _, w := range words {
		if !w.Known {
			return "", false
		}
	}
	switch line := strings.Join(texts(words), " "); {
	case line == "id -u":
		uid, ok := s.f.uid()
		return strconv.Itoa(uid), ok
	case strings.HasPrefix(line, "command -v ") && len(words) == 3:
		found := s.f.find(words[2].Text)
		return found.Path, found.Found != facts.Unknown
	}
	return "", false
}
