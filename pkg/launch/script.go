package launch

import (
	"fmt"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

type outcomeKind int

const (
	goOn      outcomeKind = iota + 1 // the next statement runs
	final                            // words are the last command
	ended                            // no foreground command remains; why says so
	undecided                        // only a run can tell; why says so
)

// outcome is what a statement leads to.
type outcome struct {
	kind    outcomeKind
	words   []word
	why     string
	exec    bool      // the shell is replaced
	stays   bool      // the shell certainly stays in front
	certain facts.Tri // of final
}

var next = outcome{kind: goOn}

func undecidedBecause(format string, args ...any) outcome {
	return outcome{kind: undecided, why: fmt.Sprintf(format, args...)}
}

// ends makes the outcome of a shell with nothing left to run; the command is
// then the last one that was started.
func (s *shell) ends(why string) outcome {
	return outcome{kind: ended, why: why}
}

// list follows statements; last: nothing of the script comes after them.
func (s *shell) list(stmts []*syntax.Stmt, last bool) outcome {
	for i, stmt := range stmts {
		if end := s.stmt(stmt, last && i == len(stmts)-1); end.kind != goOn {
			return end
		}
	}
	return next
}

func (s *shell) stmt(stmt *syntax.Stmt, last bool) outcome {
	if stmt.Background || stmt.Coprocess {
		return s.background(stmt, last)
	}
	switch cmd := stmt.Cmd.(type) {
	case nil:
		return next
	case *syntax.CallExpr:
		return s.call(stmt, cmd, last)
	case *syntax.DeclClause:
		s.declare(cmd)
		return s.endsAt(last, cmd.Variant.Value)
	case *syntax.BinaryCmd:
		return s.binary(cmd, last)
	case *syntax.Block:
		return s.list(cmd.Stmts, last)
	case *syntax.Subshell:
		return s.subshell(cmd, last)
	case *syntax.IfClause:
		return s.branch(cmd, last)
	case *syntax.CaseClause:
		return s.choose(cmd, last)
	case *syntax.FuncDecl:
		s.funcs[cmd.Name.Value] = cmd.Body
		return next
	}
	return s.compound(stmt, last, "a loop or a test")
}

// endsAt is the outcome of a builtin: the script ends with it, or goes on.
func (s *shell) endsAt(last bool, name string) outcome {
	if !last {
		return next
	}
	return s.theEnd(fmt.Sprintf("the last command of the shell script is %s, which ends at once", name))
}

// theEnd is the outcome of a script with nothing left to run. A program that
// ran in the foreground just before is then what the container waits for.
func (s *shell) theEnd(why string) outcome {
	before := s.f.launch.Before
	if n := len(s.f.launch.Background); n > 0 && s.waited == n && s.sent == len(before) {
		return s.wait(nil, true)
	}
	if len(before) == 0 || s.sent == len(before) {
		return s.withBackground(s.ends(why))
	}
	command := before[len(before)-1]
	if len(command.Argv) == 0 || !command.Argv[0].Known {
		return undecidedBecause("%s decides how long the script runs", command.Words()[0])
	}
	s.f.launch.Before = before[:len(before)-1]
	end := outcome{kind: final, stays: true, certain: facts.Yes}
	for _, w := range command.Argv {
		end.words = append(end.words, word{Word: w, at: command.Origin})
	}
	return end
}

// withBackground takes the last command that runs in the background for the
// command: it is what the author wants to run.
func (s *shell) withBackground(end outcome) outcome {
	if n := len(s.f.launch.Background); n > 0 && len(end.words) == 0 {
		for _, w := range s.f.launch.Background[n-1].Argv {
			end.words = append(end.words, word{Word: w, at: s.f.launch.Background[n-1].Origin})
		}
	}
	return end
}

func (s *shell) background(stmt *syntax.Stmt, last bool) outcome {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		group := s.group(stmt)
		if group.Runs == nil && disruptsBackground(stmt) {
			return undecidedBecause("a group of commands runs in the background")
		}
		if !last {
			s.sent = len(s.f.launch.Before)
			s.f.launch.Background = append(s.f.launch.Background, group)
			return next
		}
		return s.ends("the shell sends its last commands to the background and ends")
	}
	words := stripExec(s.fields(call.Args))
	if len(words) == 0 {
		return next
	}
	command := s.withAssigns(call, words)
	if _, declared := s.funcs[words[0].Text]; declared && words[0].Known {
		command.Runs = s.group(stmt).Runs
	} else {
		command = s.f.resolved(command)
	}
	s.sent = len(s.f.launch.Before)
	s.f.launch.Background = append(s.f.launch.Background, command)
	if !last {
		return next
	}
	end := s.ends(fmt.Sprintf("the shell starts %s with & and ends", path.Base(words[0].Text)))
	end.words = words
	return end
}

// group describes what goes to the background without being one command.
func (s *shell) group(stmt *syntax.Stmt) facts.Command {
	c := facts.Command{Argv: []facts.Word{{Text: s.text(stmt)}}, Env: s.f.vars.environ(), Dir: s.f.dir, User: s.f.user}
	if runs, ok := s.inside(stmt, 0); ok {
		c.Runs = append([]facts.Command{}, runs...)
	}
	return c
}

func disruptsBackground(stmt *syntax.Stmt) bool {
	_, pipe := stmt.Cmd.(*syntax.BinaryCmd)
	return !pipe
}

// withAssigns describes a command with the assignments in front of it.
func (s *shell) withAssigns(call *syntax.CallExpr, words []word) facts.Command {
	saved := s.f.vars
	s.f.vars = saved.clone()
	s.assign(call.Assigns, true)
	command := s.f.command(words)
	s.f.vars = saved
	return command
}

func (s *shell) subshell(cmd *syntax.Subshell, last bool) outcome {
	if last {
		return s.list(cmd.Stmts, true)
	}
	if len(cmd.Stmts) == 1 && cmd.Stmts[0].Background { // (server &)
		return s.stmt(cmd.Stmts[0], false)
	}
	s.before(cmd)
	return next
}

// binary follows a && b, a || b and a | b.
func (s *shell) binary(cmd *syntax.BinaryCmd, last bool) outcome {
	switch cmd.Op {
	case syntax.AndStmt:
		return s.and(cmd, last)
	case syntax.OrStmt:
		return s.or(cmd, last)
	}
	if !last {
		s.before(cmd)
		return next
	}
	if filter := filterName(cmd.Y); filter != "" {
		end := s.stmt(cmd.X, true)
		end.stays, end.exec = true, false
		s.f.trail(s.label, "%s passes its output on", filter)
		return end
	}
	end := s.stmt(cmd.Y, true)
	if end.kind == final {
		end.certain, end.stays, end.exec = facts.No, true, false
		end.why = "the command is a pipe: " + oneLine(s.text(cmd))
	}
	return end
}

func (s *shell) and(cmd *syntax.BinaryCmd, last bool) outcome {
	if isTest(cmd.X) {
		switch s.cond(cmd.X) {
		case facts.Yes:
			return s.stmt(cmd.Y, last)
		case facts.No:
			return s.endsAt(last, "a test that fails")
		}
		return s.compound(cmd.Y, last, "a test")
	}
	if end := s.stmt(cmd.X, false); end.kind != goOn {
		return end
	}
	return s.stmt(cmd.Y, last)
}

func (s *shell) or(cmd *syntax.BinaryCmd, last bool) outcome {
	if isTest(cmd.X) {
		switch s.cond(cmd.X) {
		case facts.Yes:
			return s.endsAt(last, "a test")
		case facts.No:
			return s.stmt(cmd.Y, last)
		}
		return s.compound(cmd.Y, last, "a test")
	}
	if !last {
		if disrupts(cmd.Y) && !exits(cmd.Y) {
			return undecidedBecause("what follows || may replace the shell")
		}
		s.poison(cmd.Y)
		return s.stmt(cmd.X, false)
	}
	end := s.stmt(cmd.X, true)
	if end.kind == final && !end.exec {
		end.stays = true
		if !exits(cmd.Y) && end.certain == facts.Yes {
			end.certain, end.why = facts.Unknown, "what follows || runs when the command fails"
		}
	}
	return end
}

// branch follows an if statement when its condition is decided.
func (s *shell) branch(cmd *syntax.IfClause, last bool) outcome {
	for c := cmd; c != nil; c = c.Else {
		if len(c.Cond) == 0 { // else
			return s.list(c.Then, last)
		}
		switch s.condList(c.Cond) {
		case facts.Yes:
			return s.list(c.Then, last)
		case facts.Unknown:
			return s.compound(c, last, "an if statement")
		}
	}
	return s.endsAt(last, "an if statement")
}

// compound passes over a statement that only a run can decide, unless what
// runs afterwards depends on it.
func (s *shell) compound(node syntax.Node, last bool, what string) outcome {
	line := node.Pos().Line()
	if last {
		return undecidedBecause("line %d: %s decides what runs last", line, what)
	}
	if disrupts(node) {
		return undecidedBecause("line %d: %s may end or replace the shell", line, what)
	}
	s.poison(node)
	s.before(node)
	return next
}

// text is the source of a node.
func (s *shell) text(node syntax.Node) string {
	from, to := int(node.Pos().Offset()), int(node.End().Offset())
	if from < 0 || to > len(s.source) || from > to {
		return ""
	}
	return strings.TrimSpace(s.source[from:to])
}
