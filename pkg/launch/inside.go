package launch

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// maxResolved bounds how many of the commands that run first are followed.
const maxResolved = 40

// before records what runs first without being one simple command. What runs
// no program and writes no file is not worth a word.
func (s *shell) before(node syntax.Node) {
	runs, ok := s.inside(node, 0)
	if ok && len(runs) == 0 {
		return
	}
	c := facts.Command{
		Argv: []facts.Word{{Text: s.text(node)}}, Env: s.f.vars.environ(), Dir: s.f.dir, User: s.f.user,
	}
	if ok {
		c.Runs = runs
	}
	s.f.launch.Before = append(s.f.launch.Before, c)
}

// inside lists the programs in a compound command; ok is false when only a run
// can tell which they are. A redirection to a file counts as tee FILE.
func (s *shell) inside(node syntax.Node, depth int) (runs []facts.Command, ok bool) {
	ok = depth < 4
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			return false
		case *syntax.Redirect:
			if toFile(n) {
				runs = append(runs, facts.Command{Argv: append([]facts.Word{{Text: "tee", Known: true}}, s.plain([]*syntax.Word{n.Word})...)})
			}
		case *syntax.CallExpr:
			more, known := s.called(n, depth)
			runs, ok = append(runs, more...), ok && known
		}
		return ok
	})
	return runs, ok
}

// called lists what one simple command of a compound one runs.
func (s *shell) called(call *syntax.CallExpr, depth int) (runs []facts.Command, ok bool) {
	if len(call.Args) == 0 {
		return nil, true
	}
	argv := s.plain(call.Args)
	for len(argv) > 0 && argv[0].Known && (argv[0].Text == "exec" || argv[0].Text == "command" || argv[0].Text == "builtin") {
		argv = argv[1:]
		if len(argv) > 0 && argv[0].Text == "-v" {
			return nil, true
		}
	}
	switch {
	case len(argv) == 0:
		return nil, true
	case !argv[0].Known:
		return nil, false
	}
	if body, declared := s.funcs[argv[0].Text]; declared {
		return s.inside(body, depth+1)
	}
	switch name := argv[0].Text; {
	case name == "." || name == "source" || name == "eval":
		return nil, false
	case instant[name] || slices.Contains(quietBuiltins, name):
		return nil, true
	}
	return []facts.Command{{Argv: argv}}, true
}

// quietBuiltins are builtins that run nothing and are not in instant.
var quietBuiltins = []string{
	"cd", "set", "shift", "unset", "trap", "read", "getopts", "mapfile", "readarray", "wait", "return", "break", "continue", "export", "local",
	"let", "pushd", "popd", "dirs", "jobs", "kill", "fg", "bg", "shopt", "times", "compgen",
}

// plain expands words that may stand in a loop or a branch: what only a run
// can tell stays as it is written, and nothing is assigned.
func (s *shell) plain(args []*syntax.Word) []facts.Word {
	saved := s.f.vars
	s.f.vars = saved.clone()
	defer func() { s.f.vars = saved }()
	var words []facts.Word
	for _, w := range s.fields(args) {
		words = append(words, w.Word)
	}
	return words
}

// toFile reports whether a redirection writes to a file.
func toFile(r *syntax.Redirect) bool {
	switch r.Op {
	case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.AppAll, syntax.RdrClob, syntax.RdrInOut:
		return !strings.HasPrefix(r.Word.Lit(), "/dev/")
	}
	return false
}

// resolved adds to a command that runs first what it runs in its turn: a
// wrapper's command, a script's commands, the script of package.json.
func (f *follower) resolved(c facts.Command) facts.Command {
	if c.Runs != nil || c.Name() == "" || f.resolving >= maxResolved || f.depth >= maxDepth || f.blind != "" {
		return c
	}
	f.resolving++
	if c, ok := f.hooked(c); ok {
		return c
	}
	l := facts.Launch{Written: f.launch.Written}
	sub := &follower{
		launch: &l, files: f.files, vars: newVars(c.Env), dir: c.Dir, user: c.User, first: facts.No, search: f.search,
		interpreter: f.interpreter, depth: f.depth + 1, resolving: f.resolving,
	}
	for _, name := range c.EnvUnknown {
		sub.vars.set(name, "", false, true)
	}
	words := make([]word, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = word{Word: w}
	}
	sub.follow(words)
	f.resolving = sub.resolving
	if l.Known != facts.Yes || slices.Equal(l.Command.Words(), c.Words()) && len(l.Before) == 0 && l.Ends == "" {
		return c
	}
	f.launch.Written = l.Written
	f.launch.Background = append(f.launch.Background, l.Background...)
	c.Runs = append([]facts.Command{}, l.Before...)
	if l.Ends == "" {
		c.Runs = append(c.Runs, l.Command)
	}
	return c
}
