package launch

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// fields expands words as a shell does, each into no, one or more arguments.
func (s *shell) fields(args []*syntax.Word) []word {
	var all []word
	for _, arg := range args {
		all = append(all, s.field(arg)...)
	}
	return all
}

func (s *shell) field(arg *syntax.Word) []word {
	e := &expander{s: s}
	e.parts(arg.Parts, false)
	e.flush()
	origin := s.place
	if origin.Field != "" {
		origin.Start, origin.End = int(arg.Pos().Offset()), int(arg.End().Offset())
	}
	for i := range e.out {
		if e.out[i].at.Field == "" {
			e.out[i].at = origin
		}
		if !e.out[i].Known {
			e.out[i].Text = s.text(arg)
		}
	}
	if e.unknown && len(e.out) != 1 { // how many arguments it makes is not known
		return []word{{Word: facts.Word{Text: s.text(arg)}, at: origin}}
	}
	return e.out
}

// value expands a word that is not split: an assignment, an operand of case.
func (s *shell) value(arg *syntax.Word) (text string, known bool) {
	if arg == nil {
		return "", true
	}
	e := &expander{s: s, whole: true}
	e.parts(arg.Parts, false)
	return e.text.String(), !e.unknown
}

// expander builds the arguments of one word.
type expander struct {
	s       *shell
	whole   bool // no splitting
	text    strings.Builder
	started bool // text is an argument even when it is empty
	unknown bool // the whole word, and how many arguments it makes
	partly  bool // the argument that is being built
	glob    bool
	inside  bool  // of ${X:-…}, where literal text is split too
	only    *word // the positional parameter that text began with
	out     []word
}

func (e *expander) flush() {
	if !e.started && e.text.Len() == 0 && !e.unknown {
		return
	}
	text := e.text.String()
	// A pattern that no file matches stays as it is; an address is none.
	certain := !e.unknown && !e.partly && (!e.glob || strings.Contains(text, ":"))
	if e.only != nil && e.only.Text == text {
		e.out = append(e.out, *e.only)
	} else {
		e.out = append(e.out, word{Word: facts.Word{Text: text, Known: certain}})
	}
	e.text.Reset()
	e.started, e.glob, e.partly, e.only = false, false, false, nil
}

func (e *expander) parts(parts []syntax.WordPart, quoted bool) {
	for i, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			e.literal(p.Value, quoted, i == 0)
		case *syntax.SglQuoted:
			e.started = true
			e.text.WriteString(p.Value)
			e.unknown = e.unknown || p.Dollar && strings.Contains(p.Value, `\`)
		case *syntax.DblQuoted:
			e.started = e.started || !isAllArgs(p)
			e.parts(p.Parts, true)
		case *syntax.ParamExp:
			e.param(p, quoted)
		case *syntax.CmdSubst:
			text, ok := e.s.substitute(p)
			if !ok {
				e.unknown = true
			}
			e.add(text, quoted)
		default:
			e.unknown = true
		}
	}
}

// literal removes backslashes the way the shell does.
func (e *expander) literal(text string, quoted, first bool) {
	if first && !quoted && strings.HasPrefix(text, "~") {
		e.unknown = true
	}
	if !quoted && e.s.kind == kindBash && strings.Contains(text, "{") && strings.ContainsAny(text, ",.") {
		e.unknown = true
	}
	if e.inside && !quoted && !strings.Contains(text, `\`) {
		e.add(text, false)
		return
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) && (!quoted || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			if text[i] != '\n' {
				e.text.WriteByte(text[i])
				e.started = true
			}
			continue
		}
		e.glob = e.glob || !quoted && isGlob(text[i:])
		e.text.WriteByte(c)
	}
}

// isGlob reports whether text starts with a pattern.
func isGlob(text string) bool {
	return text[0] == '*' || text[0] == '?' || text[0] == '[' && strings.Contains(text, "]")
}

// maxExpansion bounds what all expansions of one launch make together: x=$x$x
// doubles, and so does set -- "$@" "$@".
const maxExpansion = 1 << 20

// afford reports whether text may still be added.
func (e *expander) afford(text string) bool {
	e.s.f.expanded += len(text) + 1
	if e.s.f.expanded > maxExpansion {
		e.unknown = true
		return false
	}
	return true
}

// add appends a value; unquoted ones are split at blanks.
func (e *expander) add(text string, quoted bool) {
	if !e.afford(text) {
		return
	}
	if quoted || e.whole {
		e.text.WriteString(text)
		return
	}
	e.glob = e.glob || strings.ContainsAny(text, "*?[")
	pieces := strings.Fields(text)
	if text != "" && strings.IndexByte(" \t\n", text[0]) >= 0 {
		e.flush()
	}
	for i, piece := range pieces {
		if i > 0 {
			e.flush()
		}
		e.text.WriteString(piece)
	}
	if len(pieces) > 0 && strings.IndexByte(" \t\n", text[len(text)-1]) >= 0 {
		e.flush()
	}
}

// param expands $X, ${X:-word}, "$@", $1 and the like.
func (e *expander) param(p *syntax.ParamExp, quoted bool) {
	name := ""
	if p.Param != nil {
		name = p.Param.Value
	}
	if (name == "@" || name == "*") && simple(p) {
		e.arguments(name, quoted)
		return
	}
	text, instead, ok := e.s.parameter(p, name)
	if !ok {
		e.unknown = true
	}
	if instead != nil { // its quotes count
		outer := e.inside
		e.inside = true
		e.parts(instead.Parts, quoted)
		e.inside = outer
		return
	}
	e.add(text, quoted)
}

// arguments expands "$@" to the arguments as they are and "$*" to one word.
func (e *expander) arguments(name string, quoted bool) {
	for i, w := range e.s.params {
		if !e.afford("") {
			return
		}
		switch {
		case i > 0 && quoted && name == "*":
			e.text.WriteByte(' ')
		case i > 0:
			e.flush()
		}
		if !quoted || name == "*" {
			e.unknown = e.unknown || !w.Known
			e.add(w.Text, quoted)
			continue
		}
		if !e.afford(w.Text) {
			return
		}
		e.partly = e.partly || !w.Known
		if e.text.Len() == 0 && !e.started {
			e.only = &e.s.params[i]
		}
		e.started = true
		e.text.WriteString(w.Text)
	}
}

// isAllArgs reports whether a quoted part is "$@", which may vanish.
func isAllArgs(q *syntax.DblQuoted) bool {
	if len(q.Parts) != 1 {
		return false
	}
	p, ok := q.Parts[0].(*syntax.ParamExp)
	return ok && p.Param != nil && p.Param.Value == "@" && simple(p)
}
