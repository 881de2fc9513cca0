// Package sealed interprets entrypoint scripts of an image: the shell runs,
// programs do not. Files come from the image and writing stays in memory;
// what only a run can tell is an unknown that flows through the script, and
// where one decides, every way is tried.
package sealed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/launch"
)

// The limits of one script. A child process adds those that only a kernel can keep.
const (
	maxSteps = 20_000 // commands on one way
	maxWays  = 48
	maxText  = 256 << 10
	maxTime  = 1500 * time.Millisecond // for all ways of a script
	maxBytes = 1 << 20                 // that one way writes
)

// Here interprets in this process. It is for tests: a script can make a
// process use much memory.
type Here struct{}

// Interpret tries every way through a script.
func (Here) Interpret(script launch.Script, files fs.FS) (launch.Ways, error) {
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	return explore(ctx, script, files)
}

// explore goes through the script again and again, each time with other
// decisions, the likeliest first.
func explore(ctx context.Context, script launch.Script, files fs.FS) (launch.Ways, error) {
	var all launch.Ways
	if strings.ContainsFunc(script.Text, isUnknown) || len(script.Text) > maxText {
		return all, errors.New("the script is no plain text")
	}
	if file, err := parse(script.Text, script.Name); err == nil {
		all.UsesArgs = readsArguments(file)
	}
	todo := []map[string]int{{}}
	for len(todo) > 0 {
		if len(all.Ways) >= maxWays || ctx.Err() != nil {
			all.More = true
			break
		}
		forced := todo[0]
		todo = todo[1:]
		m := newMachine(script, files, forced)
		way, err := m.run(ctx)
		if err != nil {
			return all, err
		}
		if ctx.Err() != nil {
			all.More = true
			break
		}
		all.Ways = append(all.Ways, way)
		todo = append(todo, m.others()...)
	}
	if len(all.Ways) == 0 {
		return all, fmt.Errorf("interpret %s: it takes too long", script.Name)
	}
	return all, nil
}

// others are the decisions that have not been forced yet, each changed once.
func (m *machine) others() []map[string]int {
	var others []map[string]int
	prefix := map[string]int{}
	for _, d := range m.decided {
		if _, forced := m.forced[d.key]; !forced {
			for option := range d.options {
				if option == d.chose {
					continue
				}
				next := map[string]int{d.key: option}
				for k, v := range prefix {
					next[k] = v
				}
				others = append(others, next)
			}
		}
		prefix[d.key] = d.chose
	}
	return others
}

func parse(text, name string) (*syntax.File, error) {
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), name)
}

// readsArguments reports whether a script mentions its positional parameters.
func readsArguments(node syntax.Node) bool {
	found := false
	syntax.Walk(node, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.ParamExp:
			if n.Param != nil {
				name := n.Param.Value
				found = found || slices.Contains([]string{"@", "*", "#"}, name) || name != "0" && strings.Trim(name, "0123456789") == ""
			}
		case *syntax.CallExpr:
			if len(n.Args) > 0 {
				found = found || slices.Contains([]string{"shift", "getopts", "source", ".", "eval"}, n.Args[0].Lit())
			}
		}
		return !found
	})
	return found
}
