package sealed

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

func literal(text string) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.Lit{Value: text}}}
}

func (p *prepass) callExpr(words ...string) *syntax.CallExpr {
	call := &syntax.CallExpr{}
	for _, w := range words {
		call.Args = append(call.Args, literal(w))
	}
	return call
}

func quoted(parts ...syntax.WordPart) *syntax.Word {
	return &syntax.Word{Parts: []syntax.WordPart{&syntax.DblQuoted{Parts: parts}}}
}

func variable(name string) *syntax.ParamExp {
	return &syntax.ParamExp{Param: &syntax.Lit{Value: name}}
}

// asWhole is a word that is neither split nor matched against files.
func asWhole(w *syntax.Word) *syntax.Word {
	if len(w.Parts) == 1 {
		if _, ok := w.Parts[0].(*syntax.DblQuoted); ok {
			return w
		}
	}
	var parts []syntax.WordPart
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.DblQuoted:
			parts = append(parts, part.Parts...)
		case *syntax.SglQuoted:
			parts = append(parts, &syntax.Lit{Value: part.Value})
		case *syntax.ExtGlob:
		default:
			parts = append(parts, part)
		}
	}
	return quoted(parts...)
}

// choice lets the machine pick the branch of a case statement: the word is
// computed once and each branch gets a pattern that only the machine can say.
func (p *prepass) choice(stmt *syntax.Stmt, cmd *syntax.CaseClause, r role) {
	p.word(cmd.Word)
	id := p.site(cmd, role{})
	s := &p.m.sites[len(p.m.sites)-1]
	s.text, s.fallback = p.text(cmd.Word), true
	for i, item := range cmd.Items {
		s.branches = append(s.branches, p.text(item.Patterns[0]))
		for _, pattern := range item.Patterns {
			s.fallback = s.fallback && pattern.Lit() != "*"
			p.word(pattern)
		}
		item.Patterns = append(item.Patterns, literal(branchToken(i)))
	}
	for _, item := range cmd.Items {
		p.list(item.Stmts, r)
	}
	look := &syntax.CallExpr{Args: []*syntax.Word{literal(opCase), literal(id), asWhole(cmd.Word)}}
	cmd.Word = quoted(variable(varCase))
	inner := &syntax.Stmt{Cmd: cmd}
	stmt.Cmd = &syntax.Block{Stmts: []*syntax.Stmt{{Cmd: look}, inner}}
}

// test lets the machine decide [[ … ]] when one of its words is unknown.
func (p *prepass) test(stmt *syntax.Stmt, r role) {
	var words []*syntax.Word
	syntax.Walk(stmt.Cmd, func(n syntax.Node) bool {
		w, ok := n.(*syntax.Word)
		if ok {
			p.word(w)
			if w.Lit() == "" {
				words = append(words, asWhole(w))
			}
		}
		return !ok
	})
	p.decide(stmt, r, words)
}

func (p *prepass) decide(stmt *syntax.Stmt, r role, words []*syntax.Word) {
	look := p.callExpr(opLook, p.site(stmt.Cmd, r))
	look.Args = append(look.Args, words...)
	item := func(pattern string, cmd syntax.Command) *syntax.CaseItem {
		return &syntax.CaseItem{Op: syntax.Break, Patterns: []*syntax.Word{literal(pattern)}, Stmts: []*syntax.Stmt{{Cmd: cmd}}}
	}
	choice := &syntax.CaseClause{Word: quoted(variable(varLook)), Items: []*syntax.CaseItem{
		item("T", p.callExpr("true")), item("F", p.callExpr("false")), item("*", stmt.Cmd),
	}}
	stmt.Cmd = &syntax.Block{Stmts: []*syntax.Stmt{{Cmd: look}, {Cmd: choice}}}
}

// arithmetic lets the machine decide (( … )).
func (p *prepass) arithmetic(stmt *syntax.Stmt, x syntax.ArithmExpr, r role) {
	words := p.leaves(x)
	if assigns(x) {
		abort := p.callExpr(opAbort, p.site(stmt.Cmd, r))
		abort.Args = append(abort.Args, words...)
		stmt.Cmd = &syntax.Block{Stmts: []*syntax.Stmt{{Cmd: abort}, {Cmd: stmt.Cmd}}}
		return
	}
	p.decide(stmt, r, words)
}

// leaves are the values that an arithmetic expression reads.
func (p *prepass) leaves(x syntax.ArithmExpr) []*syntax.Word {
	var words []*syntax.Word
	syntax.Walk(x, func(n syntax.Node) bool {
		w, ok := n.(*syntax.Word)
		if !ok {
			return true
		}
		if name := w.Lit(); syntax.ValidName(name) {
			words = append(words, quoted(variable(name)))
		} else if name == "" {
			p.word(w)
			words = append(words, asWhole(w))
		}
		return false
	})
	return words
}

func assigns(x syntax.ArithmExpr) bool {
	found := false
	syntax.Walk(x, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.UnaryArithm:
			found = found || n.Op == syntax.Inc || n.Op == syntax.Dec
		case *syntax.BinaryArithm:
			switch n.Op {
			case syntax.Assgn, syntax.AddAssgn, syntax.SubAssgn, syntax.MulAssgn, syntax.QuoAssgn, syntax.RemAssgn,
				syntax.AndAssgn, syntax.OrAssgn, syntax.XorAssgn, syntax.ShlAssgn, syntax.ShrAssgn:
				found = true
			}
		}
		return !found
	})
	return found
}

func (p *prepass) words(words []*syntax.Word) {
	for _, w := range words {
		p.word(w)
	}
}

// word rewrites the parts of a word whose value the interpreter would make up
// from the host, or get wrong for an unknown.
func (p *prepass) word(w *syntax.Word) {
	if w == nil {
		return
	}
	if len(w.Parts) > 0 {
		if lit, ok := w.Parts[0].(*syntax.Lit); ok && p.foreignHome(lit.Value) {
			lit.Value = string(p.m.unknown(lit.Value))
		}
	}
	p.parts(w.Parts)
}

// foreignHome reports whether a word starts with ~user, which the interpreter
// looks up on the host; so does an assignment after its = and each colon.
func (p *prepass) foreignHome(text string) bool {
	return strings.HasPrefix(text, "~") && text != "~" && !strings.HasPrefix(text, "~/")
}

func (p *prepass) parts(parts []syntax.WordPart) {
	for i, part := range parts {
		switch part := part.(type) {
		case *syntax.DblQuoted:
			p.parts(part.Parts)
		case *syntax.CmdSubst:
			p.within(func() { p.list(part.Stmts, role{}) })
		case *syntax.ProcSubst:
			parts[i] = &syntax.Lit{Value: "/dev/fd/63"}
		case *syntax.ArithmExp:
			parts[i] = p.arithmeticPart(part)
		case *syntax.ParamExp:
			parts[i] = p.param(part)
		case *syntax.BraceExp:
			parts[i] = &syntax.Lit{Value: string(p.m.unknown("{…}"))}
		}
	}
}

func (p *prepass) arithmeticPart(part *syntax.ArithmExp) syntax.WordPart {
	leaves := p.leaves(part.X)
	if len(leaves) == 0 {
		return part
	}
	if assigns(part.X) {
		return part // counters, which start at a literal
	}
	return p.unlessTainted(leaves, part)
}

// unlessTainted is $(taint WORD… || printf %s "PART").
func (p *prepass) unlessTainted(words []*syntax.Word, part syntax.WordPart) *syntax.CmdSubst {
	taint := p.callExpr(opTaint)
	taint.Args = append(taint.Args, words...)
	say := p.callExpr("printf", "%s")
	say.Args = append(say.Args, quoted(part))
	return &syntax.CmdSubst{Stmts: []*syntax.Stmt{{Cmd: &syntax.BinaryCmd{
		Op: syntax.OrStmt, X: &syntax.Stmt{Cmd: taint}, Y: &syntax.Stmt{Cmd: say},
	}}}}
}

// param guards the expansions that look into a value.
func (p *prepass) param(e *syntax.ParamExp) syntax.WordPart {
	if e.Param == nil {
		return e
	}
	name := e.Param.Value
	switch name {
	case "?":
		return &syntax.CmdSubst{Stmts: []*syntax.Stmt{{Cmd: p.callExpr(opStatus)}}}
	case "$", "PPID":
		return &syntax.Lit{Value: string(p.m.unknown("$" + name))}
	case "!":
		return &syntax.Lit{Value: string(p.m.unknown("$!"))}
	}
	if name == "BASH_SOURCE" && !e.Length {
		return &syntax.Lit{Value: p.file}
	}
	if e.Exp != nil {
		p.word(e.Exp.Word)
	}
	if e.Repl != nil {
		p.word(e.Repl.Orig)
		p.word(e.Repl.With)
	}
	looks := e.Length || e.Slice != nil || e.Repl != nil || e.Exp != nil && looksInside(e.Exp.Op)
	if !looks || !syntax.ValidName(name) || e.Index != nil || e.Excl || e.Names != 0 {
		return e
	}
	return p.unlessTainted([]*syntax.Word{quoted(variable(name))}, e)
}

func looksInside(op syntax.ParExpOperator) bool {
	switch op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull,
		syntax.ErrorUnset, syntax.ErrorUnsetOrNull, syntax.AlternateUnset:
		return false
	}
	return true
}
