package sealed

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

// builtin says what runs instead of one of the shell's own commands.
type builtin func(*machine, interp.HandlerContext, []string) ([]string, error)

// builtins are those that would ask the host, that the interpreter lacks, or
// that an unknown decides.
func builtins() map[string]builtin {
	yes := func(*machine, interp.HandlerContext, []string) ([]string, error) { return succeed, nil }
	return map[string]builtin{
		"exec": (*machine).execute, "[": (*machine).test, "test": (*machine).test, "command": (*machine).commandBuiltin,
		"type": (*machine).typeBuiltin, "hash": (*machine).typeBuiltin, "builtin": (*machine).strip,
		"source": (*machine).source, ".": (*machine).source, "eval": (*machine).eval, "cd": (*machine).cd, "pwd": (*machine).pwd,
		"exit": (*machine).exit, "return": (*machine).exit, "set": (*machine).set, "wait": (*machine).wait, "trap": (*machine).trap,
		"kill": (*machine).kill, "umask": (*machine).umask, "shopt": (*machine).shopt,
		"ulimit": yes, "disown": yes, "jobs": yes, "bg": yes, "enable": yes, "complete": yes, "times": yes, "fc": yes, "newgrp": yes,
		"fg": (*machine).wait, "pushd": (*machine).pushd, "popd": (*machine).pushd, "compgen": (*machine).compgen,
	}
}

// execute is exec PROGRAM: the way's end.
func (m *machine) execute(hc interp.HandlerContext, args []string) ([]string, error) {
	rest := args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		taken := 1
		if rest[0] == "-a" {
			taken = 2
		}
		rest = rest[min(taken, len(rest)):]
	}
	if len(rest) == 0 {
		return succeed, nil
	}
	c := m.command(hc, rest)
	m.way.Command, m.way.Line, m.way.File = &c, int(hc.Pos.Line()), m.script.Name
	return nil, m.end(launch.WayExec, "")
}

// test is [ … ]: an unknown, or a file that may be there, is decided.
func (m *machine) test(hc interp.HandlerContext, args []string) ([]string, error) {
	doubt := anyTainted(args)
	for i, a := range args[:len(args)-1] {
		if len(a) == 2 && a[0] == '-' && strings.Contains("abcdefghkprsuwxLNOGS", a[1:]) && m.doubtfulFile(hc, args[i+1]) {
			doubt = true
		}
	}
	if !doubt {
		return args, nil
	}
	id := m.pending
	if id < 0 {
		id = m.at(strings.Join(m.spellAll(args), " "), int(hc.Pos.Line()))
	}
	m.asked = true
	if m.succeeds(id) {
		return succeed, nil
	}
	return []string{"false"}, nil
}

func (m *machine) doubtfulFile(hc interp.HandlerContext, name string) bool {
	return name != "" && name != "]" && m.doubtful(hc, absoluteUnless(m.lost, hc.Dir, name))
}

func absoluteUnless(lost bool, dir, name string) string {
	if lost && !path.IsAbs(name) {
		return "./" + name
	}
	return absolute(dir, name)
}

func (m *machine) strip(_ interp.HandlerContext, args []string) ([]string, error) {
	if len(args) == 1 {
		return succeed, nil
	}
	return args[1:], nil
}

// commandBuiltin is command -v PROGRAM, or command PROGRAM ….
func (m *machine) commandBuiltin(hc interp.HandlerContext, args []string) ([]string, error) {
	rest := args[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
		if strings.ContainsAny(rest[0], "vV") {
			return m.typeBuiltin(hc, slices.Concat([]string{"command"}, rest[1:]))
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return succeed, nil
	}
	if f, ok := m.builtins[rest[0]]; ok {
		return f(m, hc, rest)
	}
	return rest, nil
}

// typeBuiltin answers where a program is.
func (m *machine) typeBuiltin(hc interp.HandlerContext, args []string) ([]string, error) {
	if len(args) < 2 {
		return succeed, nil
	}
	name := args[len(args)-1]
	if m.declared[name] || interp.IsBuiltin(name) {
		return []string{"printf", "%s\\n", name}, nil
	}
	where, found := m.which(hc, name)
	if found == facts.Unknown {
		m.asked = true
		id := m.pending
		if id < 0 {
			id = m.at(strings.Join(m.spellAll(args), " "), int(hc.Pos.Line()))
		}
		found, where = facts.No, string(m.unknown("$(command -v "+m.spell(name)+")"))
		if m.succeeds(id) {
			found = facts.Yes
		}
	}
	if found == facts.No {
		return []string{"false"}, nil
	}
	return []string{"printf", "%s\\n", where}, nil
}

// source runs a file of the image as a function, so that nothing is looked up
// outside and the prepass sees it.
func (m *machine) source(hc interp.HandlerContext, args []string) ([]string, error) {
	if len(args) < 2 || tainted(args[1]) {
		return nil, m.end(launch.WayUndecided, fmt.Sprintf("line %d: only a run can tell which file is included", hc.Pos.Line()))
	}
	name := absolute(hc.Dir, args[1])
	if !strings.Contains(args[1], "/") {
		if where, found := m.which(hc, args[1]); found == facts.Yes {
			name = where
		}
	}
	text, err := m.files.text(name)
	switch {
	case err == nil:
	case m.doubtful(hc, name):
		return nil, m.end(launch.WayUndecided, fmt.Sprintf("line %d: %s, which is included, was not examined", hc.Pos.Line(), name))
	case m.script.Bash:
		return []string{"false"}, nil
	default:
		m.way.Code, m.way.Line, m.way.File = 2, int(hc.Pos.Line()), m.script.Name
		return nil, m.end(launch.WayFails, fmt.Sprintf("line %d: the shell ends because %s, which is to be included, is missing", hc.Pos.Line(), name))
	}
	return m.include(name, text, args[2:])
}

func (m *machine) include(name, text string, args []string) ([]string, error) {
	file, err := parse(text, name)
	if m.sourced++; err != nil || m.sourced > 200 || strings.ContainsFunc(text, isUnknown) && name != "eval" {
		return nil, m.end(launch.WayUndecided, name+", which is included, cannot be followed")
	}
	p := m.prepass(name, text, file)
	p.global = true
	p.list(file.Stmts, role{})
	function := fmt.Sprintf("__imglint_include_%d", m.sourced)
	m.runner.Funcs[function] = &syntax.Stmt{Cmd: &syntax.Block{Stmts: slices.Concat(file.Stmts, []*syntax.Stmt{{Cmd: &syntax.CallExpr{Args: []*syntax.Word{literal("true")}}}})}}
	m.declared[function] = true
	if len(args) > 0 {
		return slices.Concat([]string{function}, args), nil
	}
	return []string{"eval", function + ` "$@"`}, nil
}

// harmless reports whether the interpreter may see a text without the prepass.
func harmless(file *syntax.File) bool {
	ok := true
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ProcSubst, *syntax.CmdSubst, *syntax.ArithmExp:
			ok = false
		case *syntax.ParamExp:
			ok = ok && n.Param != nil && (syntax.ValidName(n.Param.Value) || n.Param.Value == "@") && n.Param.Value != "PPID"
		case *syntax.Lit:
			ok = ok && !strings.Contains(n.Value, "~")
		}
		return ok
	})
	return ok
}

// eval runs plain commands as they are, and everything else as an included file.
func (m *machine) eval(hc interp.HandlerContext, args []string) ([]string, error) {
	text := strings.Join(args[1:], " ")
	if strings.HasPrefix(text, "__imglint_") {
		return args, nil
	}
	if tainted(text) {
		return nil, m.end(launch.WayUndecided, fmt.Sprintf("line %d: only a run can tell what eval runs", hc.Pos.Line()))
	}
	file, err := parse(text, "eval")
	if err == nil && len(file.Stmts) == 1 && !file.Stmts[0].Background {
		if call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr); ok && (len(call.Args) == 0 || !m.declared[call.Args[0].Lit()]) && harmless(file) {
			return args, nil
		}
	}
	return m.include("eval", text, nil)
}
