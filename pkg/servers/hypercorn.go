package servers

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

func (run *invocation) portOf(l facts.Listen) string { return strconv.Itoa(l.Port) }

// hypercorn: --bind beats the file of -c, which is TOML unless a prefix says
// that it is Python (hypercorn's docs, how_to_guides/configuring).
func hypercorn(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	if run.strange != "" {
		run.unknown("the catalogue does not know the option %s of %s", run.strange, run.server.Title)
	}
	o := run.option([]string{"-c", "--config"})
	if o == nil || run.option(run.server.Bind.Flags) != nil {
		run.addresses()
		return
	}
	if err := run.known(o); err != nil {
		run.unknown("%v", err)
		return
	}
	kind, name, ok := strings.Cut(o.value, ":")
	if !ok {
		kind, name = "toml", o.value
	}
	if kind == "python" {
		name = strings.ReplaceAll(name, ".", "/") + ".py"
	}
	file := run.absolute(name)
	text, err := run.read(file)
	if err != nil {
		run.unknown("%s may decide and was not read: %v", file, err)
		return
	}
	if path.Ext(file) == ".py" {
		run.hypercornPython(file, text)
		return
	}
	run.hypercornTOML(file, text)
}

var (
	hypercornBind = regexp.MustCompile(`(?m)^[ \t]*bind[ \t]*=[ \t]*(.*?)[ \t]*(?:#.*)?$`)
	hypercornHard = regexp.MustCompile(`(?m)^[ \t]*(?:insecure_bind|quic_bind|"bind"|'bind'|\[)|"""|'''`)
	quotedText    = regexp.MustCompile(`"([^"\\]*)"|'([^']*)'`)
	quotedList    = regexp.MustCompile(`^(?:"[^"\\]*"|'[^']*'|[\[\], \t])*$`)
)

// hypercornTOML reads bind, a string or a list on one line.
func (run *invocation) hypercornTOML(file, text string) {
	m := hypercornBind.FindStringSubmatchIndex(text)
	switch {
	case hypercornHard.MatchString(text), m != nil && !quotedList.MatchString(text[m[2]:m[3]]):
		run.unknown("%s holds more than imglint reads", file)
		return
	case m == nil:
		run.hypercornDefault()
		return
	}
	from := fmt.Sprintf("%s:%d", file, 1+strings.Count(text[:m[2]], "\n"))
	for _, q := range quotedText.FindAllStringSubmatch(text[m[2]:m[3]], -1) {
		run.add(q[1]+q[2], run.server.Bind.Address, from)
	}
}

func (run *invocation) hypercornDefault() {
	run.add(run.server.Bind.Default, run.server.Bind.Address, "hypercorn's default")
}

func (run *invocation) hypercornPython(file, text string) {
	bind, ok := readPyConf(text, run.env).values["bind"]
	from := fmt.Sprintf("%s:%d", file, bind.line)
	switch {
	case !ok:
		run.hypercornDefault()
	case bind.err != nil:
		run.unknown("%s: %v", from, bind.err)
	default:
		for _, text := range bind.texts {
			run.add(text, run.server.Bind.Address, from)
		}
	}
}
