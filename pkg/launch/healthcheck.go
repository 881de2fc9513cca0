package launch

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// healthcheck describes the first program that HEALTHCHECK runs. Of a script
// only the plain start is judged: "curl -f … || exit 1".
func (f *follower) healthcheck(check *facts.Healthcheck) *facts.Program {
	if check == nil || len(check.Test) < 2 {
		return nil
	}
	name := check.Test[1]
	switch check.Test[0] {
	case "CMD":
	case "CMD-SHELL":
		if name = firstProgram(check.Test[1]); name == "" {
			return nil
		}
	default:
		return nil
	}
	if strings.ContainsAny(name, "$`") || instant[name] {
		return nil
	}
	p := f.describe(name)
	if p.Path == "" {
		p.Path = name
	}
	return &p
}

// firstProgram is the program that a script certainly runs first, "" when
// that is not plain.
func firstProgram(script string) string {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil || len(file.Stmts) == 0 {
		return ""
	}
	stmt := file.Stmts[0]
	for {
		switch cmd := stmt.Cmd.(type) {
		case *syntax.BinaryCmd:
			stmt = cmd.X
			continue
		case *syntax.CallExpr:
			if len(cmd.Args) > 0 && !shellWords[cmd.Args[0].Lit()] {
				return cmd.Args[0].Lit()
			}
		}
		return ""
	}
}

// shellWords are what a shell does itself, or what runs another program.
var shellWords = map[string]bool{"exec": true, "command": true, "cd": true, "eval": true, "if": true, "type": true, "set": true, "export": true, ".": true, "source": true, "kill": true, "read": true}
