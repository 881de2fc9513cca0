package servers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// caddyVariable is {$NAME} or {$NAME:default}, replaced before anything is read.
var caddyVariable = regexp.MustCompile(`\{\$(\w+)(?::([^}]*))?\}`)

// caddy reads the Caddyfile, or the addresses of the short commands
// (caddyserver.com/docs/command-line, /docs/caddyfile). Sites listen on all
// addresses unless bind says otherwise; a site's name decides nothing.
func caddy(run *invocation) {
	if run.p.Ends != "" || run.p.Daemonizes == facts.Unknown {
		return
	}
	run.p.Complete = true
	c := caddyConf{run: run, httpPort: 80, httpsPort: 443, admin: "localhost:2019", adminFrom: "caddy's default"}
	switch run.subcommand() {
	case "file-server", "respond":
		c.listener()
	case "reverse-proxy":
		from := found{text: "localhost", from: "caddy's default"}
		if o := run.option([]string{"--from", "-f"}); o != nil {
			from = found{text: o.value, from: o.name, err: run.known(o)}
		}
		c.site(caddySite{addresses: []string{from.text}, from: from.from})
		c.redirect()
		if from.err != nil {
			run.unknown("%v", from.err)
		}
	default:
		if value := run.env["CADDY_ADMIN"]; value != "" {
			c.admin, c.adminFrom = value, "env CADDY_ADMIN"
		}
		c.file()
	}
}

// listener is the one of a short command; a domain makes it a site.
func (c *caddyConf) listener() {
	run := c.run
	if o := run.option([]string{"--domain", "-d"}); o != nil {
		run.unknown("imglint does not follow caddy's --domain")
		return
	}
	listen := run.resolve(setting{Flags: []string{"--listen", "-l"}, Default: ":80"})
	if listen.err != nil {
		run.unknown("%v", listen.err)
		return
	}
	run.add(listen.text, addressGrammar{EmptyHost: "::"}, listen.from)
}

type caddyConf struct {
	run                 *invocation
	httpPort, httpsPort int
	autoOff             bool // no certificates by themselves
	redirects           bool // from the HTTP port
	bind                []string
	admin, adminFrom    string
}

// caddySite is one block with its addresses.
type caddySite struct {
	addresses []string
	from      string
	bind      []string
	tls       bool
}

func (c *caddyConf) file() {
	run := c.run
	name := "Caddyfile"
	if o := run.option([]string{"--config", "-c"}); o != nil {
		name = o.value
	}
	if adapter := run.option([]string{"--adapter", "-a"}); strings.HasSuffix(name, ".json") || adapter != nil && adapter.value != "caddyfile" {
		run.unknown("%s decides, and imglint reads only Caddyfiles", name)
		return
	}
	file := run.absolute(name)
	text, err := run.read(file)
	if err != nil {
		run.unknown("%s decides and was not read: %v", file, err)
		return
	}
	if slices.ContainsFunc(caddyVariable.FindAllStringSubmatch(text, -1), func(m []string) bool { return slices.Contains(run.command.EnvUnknown, m[1]) }) {
		run.unknown("%s: only a run can tell what a variable is", file)
		return
	}
	text = caddyVariable.ReplaceAllStringFunc(text, func(v string) string {
		m := caddyVariable.FindStringSubmatch(v)
		return orElse(run.env[m[1]], m[2])
	})
	sites := c.parse(file, text)
	for _, s := range sites {
		c.site(s)
	}
	c.redirect()
	if c.admin != "off" && run.p.Complete {
		run.add(c.admin, addressGrammar{EmptyHost: "::", Unix: []string{"unix/"}}, c.adminFrom)
	}
}

// caddyParser reads a Caddyfile line by line. A first block without addresses
// holds the options; without any braces the whole file is one site.
type caddyParser struct {
	conf  *caddyConf
	sites []caddySite
	depth int
	block string // what depth 1 is: "global", "snippet" or "site"
	more  bool   // a list of addresses goes on
}

func (c *caddyConf) parse(file, text string) []caddySite {
	p := caddyParser{conf: c}
	for i, line := range strings.Split(text, "\n") {
		if at := strings.Index(" "+line, " #"); at >= 0 {
			line = line[:max(at-1, 0)]
		}
		if words := strings.Fields(line); len(words) > 0 {
			p.line(words, fmt.Sprintf("%s:%d", file, i+1))
		}
	}
	return p.sites
}

func (p *caddyParser) line(words []string, from string) {
	if words[0] == "}" {
		p.depth--
		return
	}
	opens := words[len(words)-1] == "{"
	switch {
	case p.depth == 0:
		p.top(words, from, opens)
	case p.block == "global" && p.depth == 1:
		p.conf.option(words, from)
	case p.block == "snippet" && words[0] == "bind":
		p.conf.run.unknown("%s: imglint does not follow snippets that bind", from)
	case p.block == "site" && p.depth == 1 && len(p.sites) > 0:
		p.sites[len(p.sites)-1].directive(words)
	}
	if opens {
		p.depth++
	}
}

// top reads a line outside all braces.
func (p *caddyParser) top(words []string, from string, opens bool) {
	bare := len(p.sites) == 1 && p.block == "" // the only site, without braces
	switch {
	case words[0] == "{":
		p.block = "global"
		return
	case strings.HasPrefix(words[0], "(") || strings.HasPrefix(words[0], "&("):
		p.block = "snippet"
		return
	case words[0] == "import":
		p.conf.run.unknown("%s imports other files", from)
		return
	case bare && !p.more && !opens:
		p.sites[0].directive(words)
		return
	}
	if !p.more {
		p.sites = append(p.sites, caddySite{from: from})
	}
	p.more = strings.HasSuffix(words[len(words)-1], ",")
	p.block = ""
	if opens {
		p.block = "site"
	}
	s := &p.sites[len(p.sites)-1]
	for _, w := range words {
		for _, address := range strings.Split(w, ",") {
			if address != "" && address != "{" {
				s.addresses = append(s.addresses, address)
			}
		}
	}
}

func (s *caddySite) directive(words []string) {
	switch words[0] {
	case "bind":
		s.bind = words[1:]
	case "tls":
		s.tls = true
	}
}

func (c *caddyConf) option(words []string, from string) {
	value := ""
	if len(words) > 1 {
		value = words[1]
	}
	port, err := portNumber(value)
	switch words[0] {
	case "http_port":
		c.httpPort = port
	case "https_port":
		c.httpsPort = port
	case "default_bind":
		c.bind, err = words[1:], nil
	case "admin":
		c.admin, c.adminFrom, err = value, from, nil
		if value == "{" {
			c.admin = "localhost:2019"
		}
	case "auto_https":
		c.autoOff, err = value == "off", nil
	default:
		err = nil
	}
	if err != nil {
		c.run.unknown("%s: imglint cannot read %q", from, strings.Join(words, " "))
	}
}

func (c *caddyConf) site(s caddySite) {
	for _, address := range s.addresses {
		scheme, rest, ok := strings.Cut(address, "://")
		if !ok {
			scheme, rest = "", address
		}
		rest, _, _ = strings.Cut(rest, "/")
		host, number, hasPort := cutPort(rest)
		port, err := portNumber(number)
		if strings.ContainsAny(rest, "{}") || hasPort && err != nil || scheme != "" && scheme != "http" && scheme != "https" {
			c.run.unknown("%s: imglint cannot read the address %q", s.from, address)
			continue
		}
		secure := scheme == "https" || s.tls || scheme == "" && port != c.httpPort && (host != "" && !c.autoOff || port == c.httpsPort)
		if !hasPort {
			port = c.httpPort
			if secure {
				port = c.httpsPort
			}
		}
		c.redirects = c.redirects || secure && host != "" && !c.autoOff
		c.listen(port, secure, s)
	}
}

func (c *caddyConf) listen(port int, secure bool, s caddySite) {
	protocol := "http"
	if secure {
		protocol = "https"
	}
	hosts := s.bind
	if len(hosts) == 0 {
		hosts = c.bind
	}
	if len(hosts) == 0 {
		hosts = []string{"::"}
	}
	for _, host := range hosts {
		if strings.Contains(host, "/") {
			c.run.unknown("%s: imglint does not follow bind %s", s.from, host)
			continue
		}
		c.run.addOnce(facts.Listen{Network: "tcp", Host: host, Port: port, Scope: scope(host, false), Protocol: protocol, HostFrom: s.from, PortFrom: s.from})
	}
}

// redirect: names served by HTTPS are redirected from the HTTP port.
func (c *caddyConf) redirect() {
	if c.redirects {
		c.listen(c.httpPort, false, caddySite{from: "caddy's automatic HTTPS"})
	}
}
