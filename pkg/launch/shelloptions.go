package launch

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

type shellOptions struct {
	script, login, stdin bool
	rest                 []word
	unknown              string
}

func parseShellOptions(words []word) shellOptions {
	var o shellOptions
	rest := words[1:]
	for len(rest) > 0 && len(rest[0].Text) > 1 && strings.ContainsAny(rest[0].Text[:1], "-+") {
		text := rest[0].Text
		if !rest[0].Known {
			o.unknown = text
			return o
		}
		rest = rest[1:]
		if text == "--" {
			break
		}
		if strings.HasPrefix(text, "--") {
			o.login = o.login || text == "--login"
			if text == "--rcfile" || text == "--init-file" {
				rest = rest[min(1, len(rest)):]
			}
			continue
		}
		o.script = o.script || text[0] == '-' && strings.Contains(text, "c")
		o.login = o.login || strings.Contains(text, "l")
		o.stdin = o.stdin || strings.Contains(text, "s")
		taken := strings.Count(text, "o") + strings.Count(text, "O")
		rest = rest[min(taken, len(rest)):]
	}
	o.rest = rest
	return o
}

// readsArguments reports whether a script mentions its positional parameters.
func readsArguments(node syntax.Node) bool {
	found := false
	syntax.Walk(node, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil {
			name := p.Param.Value
			found = found || name == "@" || name == "*" || name == "#" || name != "0" && strings.Trim(name, "0123456789") == ""
		}
		if c, ok := n.(*syntax.CallExpr); ok && len(c.Args) > 0 {
			switch c.Args[0].Lit() {
			case "shift", "getopts", "source", ".", "eval":
				found = true
			}
		}
		return !found
	})
	return found
}
