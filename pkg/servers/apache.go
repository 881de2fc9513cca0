package servers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	apacheInclude = regexp.MustCompile(`(?i)^Include(?:Optional)?[ \t]+"?([^"\s]+)"?$`)
	apacheRoot    = regexp.MustCompile(`(?mi)^[ \t]*ServerRoot[ \t]+"?([^"\s]+)"?`)
	apacheBlock   = regexp.MustCompile(`(?i)^<(/?)(If\w+)[ \t]*([^>]*)>$`)
)

// apacheFiles are the main files of Debian's and the official builds; ports.conf
// is for an image of which nothing else is known.
var apacheFiles = []string{
	"/etc/apache2/apache2.conf", "/etc/apache2/ports.conf", "/usr/local/apache2/conf/httpd.conf",
	"/etc/httpd/conf/httpd.conf", "/etc/apache2/httpd.conf",
}

// apache reads the Listen directives of the configuration and of the files
// that it includes.
func apache(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	names := apacheFiles
	if o := run.option([]string{"-f"}); o != nil {
		names = []string{run.absolute(o.value)}
	}
	file, text, err := run.confFile(&conf{Files: names})
	if err == nil && file == "" {
		err = fmt.Errorf("there is no configuration at a known place")
	}
	if err != nil {
		run.unknown("%v", err)
		return
	}
	files := lineReader{run: run, include: apacheInclude, dir: path.Dir(file)}
	if m := apacheRoot.FindStringSubmatch(text); m != nil && !strings.Contains(m[1], "$") {
		files.dir = m[1]
	}
	lines, err := files.read(file, 0)
	if err != nil {
		run.unknown("%v", err)
		return
	}
	run.p.Complete = true
	r := apacheReader{run: run, modules: map[string]bool{}, defined: run.defined(), part: path.Base(file) == "ports.conf"}
	r.read(lines)
}

// defined are the names that -D defines.
func (run *invocation) defined() map[string]bool {
	names := map[string]bool{}
	for _, o := range run.options {
		if o.name == "-D" {
			names[o.value] = true
		}
	}
	return names
}

// apacheReader goes through a configuration in order, as apache does: a module
// is there for <IfModule> when its LoadModule stands before.
type apacheReader struct {
	run     *invocation
	modules map[string]bool
	defined map[string]bool
	blocks  []facts.Tri // of the conditions that stand around a line
	part    bool        // of the configuration is all there is: modules may be loaded elsewhere
}

func (r *apacheReader) read(lines []confLine) {
	for _, l := range lines {
		if m := apacheBlock.FindStringSubmatch(l.text); m != nil {
			r.block(m[1] == "/", m[2], strings.TrimSpace(m[3]))
			continue
		}
		words := strings.Fields(l.text)
		directive := strings.ToLower(words[0])
		if len(words) < 2 || slices.Contains(r.blocks, facts.No) {
			continue
		}
		unsure := slices.Contains(r.blocks, facts.Unknown)
		switch directive {
		case "loadmodule":
			r.modules[words[1]] = !unsure
		case "define":
			r.defined[words[1]] = !unsure
		case "listen":
			if unsure {
				r.run.unknown("%s: whether apache listens there depends on a module or condition that is not known", l.from())
				continue
			}
			r.run.apacheAddress(words[1], l.from(), len(words) > 2 && words[2] == "https")
		}
	}
}

// builtin are the modules that every build has.
var builtin = []string{"core_module", "so_module", "http_module", "core.c", "mod_so.c", "http_core.c"}

func (r *apacheReader) block(ends bool, kind, condition string) {
	if ends {
		r.blocks = r.blocks[:max(0, len(r.blocks)-1)]
		return
	}
	name, negated := strings.CutPrefix(condition, "!")
	holds := facts.Unknown
	switch strings.ToLower(kind) {
	case "ifmodule":
		if file, ok := strings.CutPrefix(name, "mod_"); ok {
			name = strings.TrimSuffix(file, ".c") + "_module"
		}
		holds = truth(r.modules[name] || slices.Contains(builtin, name))
		if holds == facts.No && r.part {
			holds = facts.Unknown
		}
	case "ifdefine":
		holds = truth(r.defined[name])
	}
	if negated && holds != facts.Unknown {
		holds = truth(holds == facts.No)
	}
	r.blocks = append(r.blocks, holds)
}

func (run *invocation) apacheAddress(address, from string, tls bool) {
	if strings.Contains(address, "$") {
		expanded, ok := run.apacheVariable(address)
		if !ok {
			run.unknown("%s: only a run can tell what %s is", from, address)
			return
		}
		address = expanded
	}
	host, number, ok := cutPort(address)
	if !ok {
		host, number = "0.0.0.0", address
	}
	port, err := portNumber(number)
	if err != nil {
		run.unknown("%s: imglint cannot read the address %q", from, address)
		return
	}
	l := facts.Listen{Network: "tcp", Host: strings.Replace(orElse(host, "0.0.0.0"), "*", "0.0.0.0", 1), Port: port, Protocol: "http", HostFrom: from, PortFrom: from}
	l.Scope = scope(l.Host, true)
	if tls {
		l.Protocol = "https"
	}
	run.addOnce(l)
	if l.Scope == facts.ScopeLoopback {
		run.p.FixPublic = append(run.p.FixPublic, facts.Remedy{Description: "listen on all interfaces", Edit: fmt.Sprintf("%s: Listen %d", from, port), At: from, Old: address, New: strconv.Itoa(port)})
	}
}

// apacheVariable expands ${PORT} from the environment.
func (run *invocation) apacheVariable(text string) (string, bool) {
	ok := true
	text = regexp.MustCompile(`\$\{(\w+)\}`).ReplaceAllStringFunc(text, func(v string) string {
		value, set := run.env[strings.Trim(v, "${}")]
		ok = ok && set
		return value
	})
	return text, ok && !strings.Contains(text, "$")
}
