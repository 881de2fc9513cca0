package sealed

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// The names that the prepass writes into a script. They cannot be typed in
// one: the rune is of the private use area, which the prepass refuses.
const (
	opCond   = "\uf8ffcond"   // ID COMMAND…: the command's status decides
	opCase   = "\uf8ffcase"   // ID WORD: the word decides between branches
	opLook   = "\uf8fflook"   // ID WORD…: the words decide a test
	opTaint  = "\uf8fftaint"  // WORD…: print an unknown if one of the words is
	opAbort  = "\uf8ffabort"  // ID WORD…: give up if one of the words is unknown
	opBack   = "\uf8ffback"   // ID COMMAND…: goes to the background
	opGroup  = "\uf8ffgroup"  // ID: a group of commands goes to the background
	opSub    = "\uf8ffsub"    // COMMAND…: exec in a subshell
	opStatus = "\uf8ffstatus" // prints $?
	opGiveUp = "\uf8ffgiveup" // ID: only a run can tell
	opDial   = "\uf8ffdial"   // ID WHEN WORD: a connection; with WHEN its status decides

	varCase = "__imglint_case"
	varLook = "__imglint_look"
)

// site is a place of a script where something is decided.
type site struct {
	file string
	line int
	text string
	// loop: the condition of a loop, which ends when the command's success is leave.
	loop, leave bool
	branches    []string // of a case statement
	fallback    bool     // a case statement without *)
}

// prepass rewrites a script so that every decision passes through the
// machine. It works in place.
type prepass struct {
	m      *machine
	file   string
	source string
	asked  map[string]bool // functions whose status decides something
	inside bool            // a subshell
	global bool            // declare means global: the text runs inside a function
}

// place of a condition: whether the statement's status decides, and how a
// loop ends by it.
type role struct {
	cond, loop, leave bool
}

func (p *prepass) site(node syntax.Node, r role) string {
	s := site{file: p.file, line: int(node.Pos().Line()), text: p.text(node), loop: r.loop, leave: r.leave}
	p.m.sites = append(p.m.sites, s)
	return strconv.Itoa(len(p.m.sites) - 1)
}

func (p *prepass) text(node syntax.Node) string {
	from, to := int(node.Pos().Offset()), int(node.End().Offset())
	if from < 0 || to > len(p.source) || from > to {
		return ""
	}
	text, _, more := strings.Cut(strings.TrimSpace(p.source[from:to]), "\n")
	if len(text) > 80 {
		text, more = text[:80], true
	}
	if more {
		text += " …"
	}
	return strings.ToValidUTF8(text, "")
}

func (p *prepass) list(stmts []*syntax.Stmt, last role) {
	for i, stmt := range stmts {
		r := role{}
		if i == len(stmts)-1 {
			r = last
		}
		p.stmt(stmt, r)
	}
}

func (p *prepass) stmt(stmt *syntax.Stmt, r role) {
	if stmt.Negated {
		r.cond = true
		r.leave = !r.leave
	}
	if to := p.connects(stmt); to != nil {
		p.word(to)
		dial := p.callExpr(opDial, p.site(stmt, r), strconv.FormatBool(r.cond))
		stmt.Cmd, stmt.Redirs = &syntax.CallExpr{Args: append(dial.Args, asWhole(to))}, nil
		return
	}
	for _, redirect := range stmt.Redirs {
		p.word(redirect.Word)
		p.word(redirect.Hdoc)
	}
	if stmt.Background || stmt.Coprocess {
		p.background(stmt)
		return
	}
	switch cmd := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		p.call(cmd, r)
	case *syntax.DeclClause:
		p.declare(cmd)
	case *syntax.BinaryCmd:
		p.binary(cmd, r)
	case *syntax.Block:
		p.list(cmd.Stmts, r)
	case *syntax.Subshell:
		p.within(func() { p.list(cmd.Stmts, r) })
	case *syntax.TimeClause:
		if cmd.Stmt != nil {
			p.stmt(cmd.Stmt, r)
		}
	case *syntax.FuncDecl:
		p.stmt(cmd.Body, role{cond: cmd.Name != nil && p.asked[cmd.Name.Value]})
		if cmd.Name == nil {
			stmt.Cmd = p.callExpr(opGiveUp, p.site(cmd, r))
		}
	default:
		p.compound(stmt, r)
	}
}

// connects returns where a statement's redirection leads, when that is bash's
// way to connect to a server. What is said there does not matter.
func (p *prepass) connects(stmt *syntax.Stmt) *syntax.Word {
	for _, redirect := range stmt.Redirs {
		if text := p.text(redirect.Word); strings.Contains(text, "/dev/tcp/") || strings.Contains(text, "/dev/udp/") {
			return redirect.Word
		}
	}
	return nil
}

func (p *prepass) compound(stmt *syntax.Stmt, r role) {
	switch cmd := stmt.Cmd.(type) {
	case *syntax.IfClause:
		p.branch(cmd, r)
	case *syntax.WhileClause:
		p.list(cmd.Cond, role{cond: true, loop: true, leave: cmd.Until})
		p.list(cmd.Do, role{})
	case *syntax.ForClause:
		p.loop(stmt, cmd)
	case *syntax.CaseClause:
		p.choice(stmt, cmd, r)
	case *syntax.TestClause:
		p.test(stmt, r)
	case *syntax.ArithmCmd:
		p.arithmetic(stmt, cmd.X, r)
	case *syntax.LetClause:
		for _, x := range cmd.Exprs {
			p.arithmetic(stmt, x, r)
		}
	case nil:
	default:
		stmt.Cmd = p.callExpr(opGiveUp, p.site(cmd, r))
	}
}

func (p *prepass) within(f func()) {
	outer := p.inside
	p.inside = true
	f()
	p.inside = outer
}

func (p *prepass) branch(cmd *syntax.IfClause, r role) {
	for c := cmd; c != nil; c = c.Else {
		p.list(c.Cond, role{cond: true})
		p.list(c.Then, r)
	}
}

func (p *prepass) loop(stmt *syntax.Stmt, cmd *syntax.ForClause) {
	switch loop := cmd.Loop.(type) {
	case *syntax.WordIter:
		p.words(loop.Items)
	case *syntax.CStyleLoop:
		for _, x := range []syntax.ArithmExpr{loop.Init, loop.Cond, loop.Post} {
			if x != nil && len(p.leaves(x)) > 4 {
				stmt.Cmd = p.callExpr(opGiveUp, p.site(cmd, role{}))
				return
			}
		}
	}
	p.list(cmd.Do, role{})
}

func (p *prepass) binary(cmd *syntax.BinaryCmd, r role) {
	switch cmd.Op {
	case syntax.AndStmt, syntax.OrStmt:
		p.stmt(cmd.X, role{cond: true, loop: r.loop && (cmd.Op == syntax.OrStmt) == r.leave, leave: r.leave})
		p.stmt(cmd.Y, r)
	default:
		p.within(func() {
			p.stmt(cmd.X, role{})
			p.stmt(cmd.Y, r)
		})
	}
}

func (p *prepass) call(cmd *syntax.CallExpr, r role) {
	for _, a := range cmd.Assigns {
		p.assign(a, r.cond && len(cmd.Args) == 0)
	}
	p.words(cmd.Args)
	if len(cmd.Args) == 0 {
		return
	}
	name := cmd.Args[0].Lit()
	switch {
	case name == "exec" && p.inside && len(cmd.Args) > 1:
		cmd.Args = append([]*syntax.Word{literal(opSub)}, cmd.Args[1:]...)
	case r.cond:
		id := p.site(cmd, r)
		cmd.Args = append([]*syntax.Word{literal(opCond), literal(id)}, cmd.Args...)
	}
}

// background takes & away: what would run is written down instead.
func (p *prepass) background(stmt *syntax.Stmt) {
	id := p.site(stmt, role{})
	stmt.Background, stmt.Coprocess, stmt.Negated = false, false, false
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		stmt.Cmd, stmt.Redirs = p.callExpr(opGroup, id), nil
		return
	}
	p.call(call, role{})
	call.Args = append([]*syntax.Word{literal(opBack), literal(id)}, call.Args...)
}

func (p *prepass) declare(cmd *syntax.DeclClause) {
	for _, a := range cmd.Args {
		p.assign(a, false)
	}
	if p.global && (cmd.Variant.Value == "declare" || cmd.Variant.Value == "typeset") {
		flag := &syntax.Assign{Naked: true, Value: literal("-g")}
		cmd.Args = append([]*syntax.Assign{flag}, cmd.Args...)
	}
}

func (p *prepass) assign(a *syntax.Assign, cond bool) {
	if a.Value != nil {
		p.word(a.Value)
		if cond {
			p.condSubstitution(a.Value)
		}
	}
	if a.Array != nil {
		for _, e := range a.Array.Elems {
			p.word(e.Value)
		}
	}
}

// condSubstitution makes the status of X=$(command) a condition.
func (p *prepass) condSubstitution(w *syntax.Word) {
	syntax.Walk(w, func(n syntax.Node) bool {
		sub, ok := n.(*syntax.CmdSubst)
		if !ok || len(sub.Stmts) == 0 {
			return true
		}
		call, ok := sub.Stmts[len(sub.Stmts)-1].Cmd.(*syntax.CallExpr)
		if ok && len(call.Args) > 0 && !strings.HasPrefix(call.Args[0].Lit(), "\uf8ff") {
			id := p.site(call, role{cond: true})
			call.Args = append([]*syntax.Word{literal(opCond), literal(id)}, call.Args...)
		}
		return false
	})
}
