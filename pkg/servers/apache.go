package servers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	apacheListen  = regexp.MustCompile(`(?mi)^[ \t]*Listen[ \t]+(\S+)([ \t]+\S+)?[ \t]*\r?$`)
	apacheBlock   = regexp.MustCompile(`(?mis)^[ \t]*<(If\w+)[^>]*>.*?^[ \t]*</If\w+>`)
	apacheInclude = regexp.MustCompile(`(?mi)^[ \t]*Include(?:Optional)?[ \t]+(\S+)`)
)

// apacheFiles hold the Listen directives of Debian's and the official builds.
var apacheFiles = []string{"/etc/apache2/ports.conf", "/usr/local/apache2/conf/httpd.conf", "/etc/httpd/conf/httpd.conf", "/etc/apache2/httpd.conf"}

// apache reads the Listen directives. Those that stand in <IfModule> depend on
// modules, which makes the list incomplete.
func apache(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	names := apacheFiles
	if o := run.option([]string{"-f"}); o != nil {
		names = []string{run.absolute(o.value)}
	}
	file, text, err := run.confFile(&conf{Files: names})
	if err != nil || file == "" {
		if err == nil {
			err = fmt.Errorf("there is no configuration at a known place")
		}
		run.unknown("%v", err)
		return
	}
	run.p.Complete = true
	plain := apacheBlock.ReplaceAllStringFunc(text, func(block string) string {
		if apacheListen.MatchString(block) {
			run.unknown("%s listens on more when a module is loaded", file)
		}
		return strings.Repeat("\n", strings.Count(block, "\n"))
	})
	if base := path.Base(file); base != "ports.conf" && slices.ContainsFunc(apacheInclude.FindAllString(plain, -1), func(line string) bool { return !strings.Contains(line, "conf/extra/proxy") }) {
		run.unknown("%s includes other files", file)
	}
	for _, m := range apacheListen.FindAllStringSubmatchIndex(plain, -1) {
		from := fmt.Sprintf("%s:%d", file, 1+strings.Count(plain[:m[2]], "\n"))
		run.apacheAddress(plain[m[2]:m[3]], from, m[4] >= 0 && strings.Contains(plain[m[4]:m[5]], "https"))
	}
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
		run.p.FixPublic = append(run.p.FixPublic, facts.Remedy{Description: "listen on all interfaces", Edit: fmt.Sprintf("%s: Listen %d", from, port)})
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
