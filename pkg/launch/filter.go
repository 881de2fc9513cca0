package launch

import (
	"path"
	"slices"

	"mvdan.cc/sh/v3/syntax"
)

// filters read what the command says and write it on.
var filters = []string{"tee", "cat", "grep", "egrep", "sed", "awk", "gawk", "logger", "ts", "cronolog", "rotatelogs", "multilog", "jq", "cut", "tr", "pino-pretty", "bunyan"}

// filterName is the program behind a pipe when it only passes text on, and
// therefore ends with the command before it.
func filterName(stmt *syntax.Stmt) string {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	if name := path.Base(call.Args[0].Lit()); slices.Contains(filters, name) {
		return name
	}
	return ""
}
