package launch

import "mvdan.cc/sh/v3/syntax"

// disruptive are the commands that decide what runs afterwards.
var disruptive = map[string]bool{
	"exec": true, "exit": true, "return": true, "set": true, "shift": true, "eval": true, "source": true, ".": true,
	"trap": true, "break": false,
}

// disrupts reports whether running node, or not, changes what the shell does
// afterwards. Pipes, subshells and substitutions are processes of their own.
func disrupts(node syntax.Node) bool {
	found := false
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
			return false
		case *syntax.BinaryCmd:
			if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
				return false
			}
		case *syntax.FuncDecl:
			found = true
		case *syntax.Stmt:
			found = found || n.Background
		case *syntax.CallExpr:
			if len(n.Args) > 0 && disruptive[n.Args[0].Lit()] && !onlyRedirects(n) {
				found = true
			}
		}
		return !found
	})
	return found
}

func onlyRedirects(call *syntax.CallExpr) bool {
	return call.Args[0].Lit() == "exec" && len(call.Args) == 1
}

// exits reports whether a statement only says something and ends the shell,
// or does nothing: `|| true`, `|| exit 1`, `|| { echo no; exit 1; }`.
func exits(stmt *syntax.Stmt) bool {
	switch cmd := stmt.Cmd.(type) {
	case *syntax.CallExpr:
		return len(cmd.Args) > 0 && instant[cmd.Args[0].Lit()]
	case *syntax.Block:
		for _, inner := range cmd.Stmts {
			if !exits(inner) {
				return false
			}
		}
		return true
	}
	return false
}

// poison forgets what a statement may or may not have assigned.
func (s *shell) poison(node syntax.Node) {
	forget := func(name string) { s.f.vars.set(name, "", false, s.f.vars[name].exported) }
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst:
			return false
		case *syntax.BinaryCmd:
			if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
				return false
			}
		case *syntax.DeclClause:
			for _, a := range n.Args {
				if a.Name != nil {
					s.f.vars.set(a.Name.Value, "", false, true)
				}
			}
			return false
		case *syntax.WordIter:
			forget(n.Name.Value)
		case *syntax.CallExpr:
			s.poisonCall(n, forget)
		case *syntax.ParamExp:
			if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull) && n.Param != nil {
				forget(n.Param.Value)
			}
		}
		return true
	})
}

func (s *shell) poisonCall(call *syntax.CallExpr, forget func(string)) {
	if len(call.Args) == 0 {
		for _, a := range call.Assigns {
			forget(a.Name.Value)
		}
		return
	}
	switch call.Args[0].Lit() {
	case "cd":
		s.f.dir = ""
	case "read", "unset", "getopts", "mapfile":
		for _, w := range call.Args[1:] {
			if name := w.Lit(); validName(name) {
				forget(name)
			}
		}
	}
}

// validName reports whether text can name a variable.
func validName(text string) bool { return syntax.ValidName(text) }
