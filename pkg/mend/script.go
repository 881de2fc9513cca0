package mend

import (
	"io/fs"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// script is a shell script of the image with one of its statements, such as
// the one in which a launch's last command stands.
type script struct {
	name string
	text string
	file *syntax.File
	stmt *syntax.Stmt
	call *syntax.CallExpr // nil: the statement is no simple command
	at   int              // the argument of call that is the command's first word
	// last: nothing of the script runs after the command.
	last bool
}

// Spot tells where a launch's last command stands, when that is in a script.
func Spot(files fs.FS, l facts.Launch) *facts.Spot {
	if s := find(files, l); s != nil {
		return s.spot(s.start(), s.end())
	}
	return nil
}

// SpotBefore tells where one of the commands that run before it stands, when
// that is in a script.
func SpotBefore(files fs.FS, l facts.Launch, c facts.Command) *facts.Spot {
	if c.Origin.Field != finding.FieldNone || len(c.Argv) == 0 {
		return nil
	}
	s := search(files, l.Scripts, func(s *script) bool {
		if s.source() == c.Argv[0].Text {
			return true
		}
		if s.call == nil {
			return false
		}
		at, ok := holds(s.text, s.call, c.Argv)
		return ok && at == 0
	})
	if s == nil {
		return nil
	}
	start := int(s.stmt.Pos().Offset())
	return s.spot(start, start+len(s.source()))
}

func (s *script) spot(start, end int) *facts.Spot {
	line, column := position(s.text, start)
	text := Line(s.text, line)
	return &facts.Spot{Path: s.name, Line: line, Column: column, EndColumn: min(column+end-start, len(text)+1), Text: text}
}

// source is the text of the statement.
func (s *script) source() string {
	return strings.TrimRight(s.text[s.stmt.Pos().Offset():s.stmt.End().Offset()], "; \t\n")
}

func (s *script) start() int { return int(s.call.Args[s.at].Pos().Offset()) }
func (s *script) end() int   { return int(s.call.Args[len(s.call.Args)-1].End().Offset()) }

// find looks for the one statement that has the command's words.
func find(files fs.FS, l facts.Launch) *script {
	if l.Command.Origin.Field != finding.FieldNone || len(l.Command.Argv) == 0 {
		return nil
	}
	return search(files, l.Scripts, func(s *script) (ok bool) {
		if s.call != nil {
			s.at, ok = holds(s.text, s.call, l.Command.Argv)
		}
		return ok
	})
}

// search looks through scripts for the one statement that is wanted; nil when
// there are more: which one of them runs is not known.
func search(files fs.FS, names []string, wanted func(*script) bool) *script {
	var found *script
	for _, name := range names {
		text, ok := read(files, name)
		if !ok {
			continue
		}
		file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
		if err != nil {
			continue
		}
		ends := map[*syntax.Stmt]bool{}
		lasts(file.Stmts, ends)
		for _, stmt := range statements(file) {
			s := &script{name: name, text: text, file: file, stmt: stmt, last: ends[stmt]}
			if call, ok := stmt.Cmd.(*syntax.CallExpr); ok && len(call.Args) > 0 {
				s.call = call
			}
			if !wanted(s) {
				continue
			}
			if found != nil {
				return nil
			}
			found = s
		}
	}
	return found
}

// statements lists those of a script, also the ones inside others.
func statements(file *syntax.File) []*syntax.Stmt {
	var all []*syntax.Stmt
	syntax.Walk(file, func(n syntax.Node) bool {
		if stmt, ok := n.(*syntax.Stmt); ok {
			all = append(all, stmt)
		}
		return true
	})
	return all
}

// lasts marks the statements after which nothing runs.
func lasts(list []*syntax.Stmt, ends map[*syntax.Stmt]bool) {
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1]
	if last.Negated {
		return
	}
	ends[last] = true
	switch cmd := last.Cmd.(type) {
	case *syntax.IfClause:
		for c := cmd; c != nil; c = c.Else {
			lasts(c.Then, ends)
		}
	case *syntax.CaseClause:
		for _, item := range cmd.Items {
			lasts(item.Stmts, ends)
		}
	case *syntax.Block:
		lasts(cmd.Stmts, ends)
	case *syntax.BinaryCmd:
		if cmd.Op == syntax.AndStmt {
			lasts([]*syntax.Stmt{cmd.Y}, ends)
		}
	}
}

// holds reports whether a command ends in the words, and from which argument
// on: what stands before them are exec and wrappers.
func holds(text string, call *syntax.CallExpr, words []facts.Word) (int, bool) {
	at := len(call.Args) - len(words)
	if at < 0 {
		return 0, false
	}
	for i, w := range words {
		if !spells(text, call.Args[at+i], w, i == 0) {
			return 0, false
		}
	}
	return at, true
}

// spells reports whether a word of a script is certainly, or but for its
// variables, the word of a command.
func spells(text string, arg *syntax.Word, w facts.Word, exact bool) bool {
	if literal, ok := literal(arg.Parts); ok {
		return literal == w.Text
	}
	source := text[arg.Pos().Offset():arg.End().Offset()]
	if exact || strings.Contains(source, "$@") || strings.Contains(source, "$*") {
		return false
	}
	return !w.Known && w.Text == source || w.Known && around(arg.Parts, w.Text)
}

// literal is the text of a word without expansions.
func literal(parts []syntax.WordPart) (string, bool) {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(p.Value, `\*?[`) {
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			if p.Dollar {
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			inner, ok := literal(p.Parts)
			if !ok {
				return "", false
			}
			b.WriteString(inner)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// around reports whether the literal parts of a word stand in a value, in order.
func around(parts []syntax.WordPart, value string) bool {
	for _, p := range parts {
		text := ""
		switch p := p.(type) {
		case *syntax.DblQuoted:
			if !around(p.Parts, value) {
				return false
			}
		default:
			text, _ = literal([]syntax.WordPart{p})
		}
		_, rest, ok := strings.Cut(value, text)
		if !ok {
			return false
		}
		value = rest
	}
	return true
}

// Rewrite changes the words of a command in a script's text; start and end
// are the command's.
type Rewrite func(text string, start, end int) (string, bool)

// Words is the edit of the script that rewrite makes.
func Words(files fs.FS, l facts.Launch, rewrite Rewrite) (finding.FileEdit, bool) {
	s := find(files, l)
	if s == nil {
		return finding.FileEdit{}, false
	}
	after, ok := rewrite(s.text, s.start(), s.end())
	if !ok {
		return finding.FileEdit{}, false
	}
	return Between(s.name, s.text, after)
}

// Exec is the edit that starts the command in the shell's place. There is none
// where something would be lost: what runs afterwards, or a trap.
func Exec(files fs.FS, l facts.Launch) (finding.FileEdit, bool) {
	s := find(files, l)
	if s == nil || !s.last || s.stmt.Background || s.stmt.Negated || len(s.call.Assigns) > 0 || len(l.Background) > 0 {
		return finding.FileEdit{}, false
	}
	if first := s.call.Args[0].Lit(); first == "exec" || first == "command" || s.traps() {
		return finding.FileEdit{}, false
	}
	return s.insert(int(s.call.Args[0].Pos().Offset()), "exec "), true
}

func (s *script) traps() bool {
	return slices.ContainsFunc(statements(s.file), func(stmt *syntax.Stmt) bool {
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		return ok && len(call.Args) > 0 && call.Args[0].Lit() == "trap"
	})
}

func (s *script) insert(at int, text string) finding.FileEdit {
	line, column := position(s.text, at)
	return finding.FileEdit{Path: s.name, Line: line, Column: column, New: text}
}

// Foreground is the edit that takes away the & behind the command.
func Foreground(files fs.FS, l facts.Launch) (finding.FileEdit, bool) {
	s := find(files, l)
	if s == nil || !s.stmt.Background || !s.stmt.Semicolon.IsValid() || !s.last {
		return finding.FileEdit{}, false
	}
	from, to := int(s.stmt.Semicolon.Offset()), int(s.stmt.Semicolon.Offset())+1
	for from > 0 && (s.text[from-1] == ' ' || s.text[from-1] == '\t') {
		from--
	}
	line, column := position(s.text, from)
	return finding.FileEdit{Path: s.name, Line: line, Column: column, Old: s.text[from:to]}, true
}

// Arguments is the edit that hands CMD's words on to the command.
func Arguments(files fs.FS, l facts.Launch) (finding.FileEdit, bool) {
	s := find(files, l)
	if s == nil || s.stmt.Background {
		return finding.FileEdit{}, false
	}
	return s.insert(s.end(), ` "$@"`), true
}
