package servers

import (
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// unicornListen is a listen line; options may follow the address.
var unicornListen = regexp.MustCompile(`^listen[ \t(]+(.*?)(?:,[ \t]*(?::\w+[ \t]*=>|\w+:).*?)?\)?[ \t]*(?:#.*)?$`)

// unicorn: what the file of -c says is added to -l (measured).
func unicorn(run *invocation) {
	o := run.option([]string{"-c", "--config-file"})
	if run.p.Ends != "" || o == nil {
		return
	}
	file := run.absolute(o.value)
	text, err := run.read(file)
	if err = firstError(run.known(o), err); err != nil {
		run.unknown("%s may decide and was not read: %v", file, err)
		return
	}
	var more []facts.Listen
	before := run.p.Listens
	run.p.Listens = nil
	for i, line := range strings.Split(text, "\n") {
		l := confLine{strings.TrimSpace(line), file, i + 1}
		m := unicornListen.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		value, ok := run.ruby(m[1])
		if !ok || line != strings.TrimLeft(line, " \t") {
			run.unknown("%s: imglint cannot tell what %q does", l.from(), l.text)
			continue
		}
		run.add(value, run.server.Bind.Address, l.from())
	}
	more, run.p.Listens = run.p.Listens, before
	// The default is opened only when nothing else is asked for.
	if len(more) > 0 && run.option([]string{"-l", "--listen", "-p", "--port", "-o", "--host"}) == nil {
		run.p.Listens = nil
	}
	run.p.Listens = append(run.p.Listens, more...)
	for _, l := range more {
		if l.Scope == facts.ScopeLoopback {
			run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Edit: l.HostFrom + `: listen "0.0.0.0:` + run.portOf(l) + `"`}}
		}
	}
}
