package launch

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// instant are builtins and programs that end at once and change nothing that
// matters to what runs afterwards.
var instant = map[string]bool{
	":": true, "true": true, "false": true, "echo": true, "printf": true, "test": true, "[": true, "umask": true,
	"ulimit": true, "hash": true, "type": true, "alias": true, "disown": true, "pwd": true, "exit": true,
}

// call follows a simple command.
func (s *shell) call(stmt *syntax.Stmt, cmd *syntax.CallExpr, last bool) outcome {
	if len(cmd.Args) == 0 {
		s.assign(cmd.Assigns, false)
		return s.endsAt(last, "an assignment")
	}
	words := s.fields(cmd.Args)
	if len(words) == 0 {
		return s.endsAt(last, "empty")
	}
	if words[0].Known {
		if body, ok := s.funcs[words[0].Text]; ok {
			return s.invoke(body, words[1:], last)
		}
		if end, ok := s.builtin(words, last); ok {
			if end.kind == goOn && writesFile(stmt) { // echo … > nginx.conf
				s.before(stmt)
			}
			return end
		}
	}
	replace := words[0].Text == "exec" && words[0].Known
	words = stripExec(words)
	switch {
	case len(words) == 0: // exec with redirections only
		return next
	case last || replace:
		s.assign(cmd.Assigns, true)
		return outcome{kind: final, words: words, exec: replace, stays: len(stmt.Redirs) > 0, certain: facts.Yes}
	}
	if writesFile(stmt) { // envsubst < template > nginx.conf
		s.before(stmt)
		return next
	}
	s.f.launch.Before = append(s.f.launch.Before, s.f.resolved(s.withAssigns(cmd, words)))
	return next
}

// writesFile reports whether a statement's output goes to a file.
func writesFile(stmt *syntax.Stmt) bool {
	return slices.ContainsFunc(stmt.Redirs, toFile)
}

// stripExec takes exec, command and their options away.
func stripExec(words []word) []word {
	for len(words) > 0 && words[0].Known && (words[0].Text == "exec" || words[0].Text == "command") {
		exec := words[0].Text == "exec"
		words = words[1:]
		for exec && len(words) > 0 && strings.HasPrefix(words[0].Text, "-") {
			taken := 1
			if words[0].Text == "-a" {
				taken = min(2, len(words))
			}
			words = words[taken:]
		}
	}
	return words
}

// invoke runs a shell function.
func (s *shell) invoke(body *syntax.Stmt, args []word, last bool) outcome {
	s.calls++
	if s.calls > maxDepth {
		return undecidedBecause("functions call each other")
	}
	saved := s.params
	s.params = args
	end := s.stmt(body, last)
	s.params = saved
	return end
}

// builtin follows what the shell does itself; ok is false for programs.
func (s *shell) builtin(words []word, last bool) (end outcome, ok bool) {
	name := words[0].Text
	switch name {
	case "exit":
		return s.theEnd("the shell script exits"), true
	case "cd":
		s.changeDir(words[1:])
	case "export", "readonly", "local", "declare", "typeset": // seen when words are computed
		return undecidedBecause("%s assigns what only a run can tell", name), true
	case "set":
		if !s.set(words[1:]) {
			return undecidedBecause("only a run can tell what set does"), true
		}
	case "shift":
		n := 1
		if len(words) > 1 {
			n, _ = strconv.Atoi(words[1].Text)
		}
		s.params = s.params[min(max(n, 0), len(s.params)):]
	case "unset":
		for _, w := range words[1:] {
			delete(s.f.vars, w.Text)
		}
	case "trap":
		s.traps = true
	case ".", "source", "eval", "fg", "return":
		return undecidedBecause("only a run can tell what %s does", name), true
	case "read", "getopts", "mapfile":
		for _, w := range words[1:] {
			s.f.vars.set(w.Text, "", false, false)
		}
	case "wait":
		return s.wait(words, last), true
	default:
		if !instant[name] {
			return outcome{}, false
		}
	}
	return s.endsAt(last, name), true
}

func (s *shell) changeDir(args []word) {
	switch {
	case len(args) != 1 || !args[0].Known || args[0].Text == "-" || s.f.dir == "":
		s.f.dir = ""
	case path.IsAbs(args[0].Text):
		s.f.dir = path.Clean(args[0].Text)
	default:
		s.f.dir = path.Join(s.f.dir, args[0].Text)
	}
}

// set handles set -euo pipefail, set -a and set -- words.
func (s *shell) set(args []word) bool {
	for i := 0; i < len(args); i++ {
		text := args[i].Text
		switch {
		case text == "--" || text == "-":
			s.params = slices.Clone(args[i+1:])
			return true
		case !args[i].Known:
			return false
		case strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+"):
			if strings.Contains(text, "a") && len(text) < 8 {
				s.allVar = text[0] == '-'
			}
			if strings.HasSuffix(text, "o") {
				i++
			}
		default:
			s.params = slices.Clone(args[i:])
			return true
		}
	}
	return true
}

// wait makes the background commands the command: the shell stays for them.
func (s *shell) wait(words []word, last bool) outcome {
	background := s.f.launch.Background
	if !last {
		s.waited = len(background)
		return next
	}
	if len(background) == 0 {
		return s.theEnd("the shell has nothing to wait for")
	}
	command := background[len(background)-1]
	s.f.launch.Background = background[:len(background)-1]
	end := outcome{kind: final, stays: true, certain: facts.Yes}
	for _, w := range command.Argv {
		end.words = append(end.words, word{Word: w, at: command.Origin})
	}
	if len(s.f.launch.Background) > 0 && (len(words) < 2 || words[1].Text != "-n") {
		s.f.trail(s.label, "the shell waits for %d commands; the last one is taken for the command", len(background))
	}
	if !command.Argv[0].Known {
		end.certain, end.why = facts.Unknown, "a group of commands runs in the background"
	}
	return end
}

// assign sets variables; export: only for one command, or declared so.
func (s *shell) assign(assigns []*syntax.Assign, export bool) {
	for _, a := range assigns {
		if a.Name == nil {
			continue
		}
		name := a.Name.Value
		switch {
		case a.Naked:
			if export {
				s.f.vars.export(name)
			}
		case a.Append || a.Index != nil || a.Array != nil:
			s.f.vars.set(name, "", false, export || s.allVar)
		case a.Value == nil:
			s.f.vars.set(name, "", true, export || s.allVar)
		default:
			text, known := s.value(a.Value)
			s.f.vars.set(name, text, known, export || s.allVar)
		}
		if name == "PATH" && s.f.vars[name].unknown {
			s.f.search = facts.Unknown
		}
	}
}

func (s *shell) declare(cmd *syntax.DeclClause) {
	export := cmd.Variant.Value == "export" || slices.ContainsFunc(cmd.Args, func(a *syntax.Assign) bool {
		return a.Name == nil && a.Value != nil && a.Value.Lit() == "-x"
	})
	s.assign(cmd.Args, export)
}
