package servers

import (
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	lighttpdInclude = regexp.MustCompile(`^include[ \t]+"([^"]+)"$`)
	lighttpdSetting = regexp.MustCompile(`^(server\.port|server\.bind|server\.use-ipv6|ssl\.engine)[ \t]*:?=[ \t]*(?:"([^"]*)"|(\d+)|env\.(\w+))[ \t]*(?:#.*)?$`)
	lighttpdSocket  = regexp.MustCompile(`^\$SERVER\["socket"\][ \t]*==[ \t]*"([^"]*)"`)
	lighttpdDecides = regexp.MustCompile(`^(server\.(port|bind|use-ipv6|systemd-socket-activation)|include_shell|include|else|if)\b`)
)

// lighttpd reads the configuration of -f. The last value of a setting counts;
// every $SERVER["socket"] is one more listener.
func lighttpd(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	o := run.option([]string{"-f"})
	if o == nil {
		run.unknown("lighttpd without -f prints its usage and ends")
		return
	}
	lines, err := run.confLines(run.absolute(o.value), lighttpdInclude)
	if err = firstError(run.known(o), err); err != nil {
		run.unknown("%v", err)
		return
	}
	c := lighttpdConf{run: run, port: found{text: "80", from: "lighttpd's default"}, host: found{text: "", from: "lighttpd's default"}}
	for _, l := range lines {
		c.line(l)
	}
	c.listen()
}

type lighttpdConf struct {
	run     *invocation
	port    found
	host    found
	tls     bool
	depth   int // open braces
	sockets []found
}

func (c *lighttpdConf) line(l confLine) {
	defer func() { c.depth += strings.Count(l.text, "{") - strings.Count(l.text, "}") }()
	if m := lighttpdSocket.FindStringSubmatch(l.text); m != nil {
		c.sockets = append(c.sockets, found{text: m[1], from: l.from()})
		return
	}
	// Debian's script adds [::] at the same port; the other ones add no socket.
	if strings.HasPrefix(l.text, `include_shell "/usr/share/lighttpd/`) {
		return
	}
	m := lighttpdSetting.FindStringSubmatch(l.text)
	switch {
	case m == nil && lighttpdDecides.MatchString(l.text):
		c.run.unknown("%s: imglint cannot tell what %q does", l.from(), l.text)
	case m == nil:
	case c.depth > 0 && m[1] != "ssl.engine":
		c.run.unknown("%s: %s is set conditionally", l.from(), m[1])
	default:
		c.set(m[1], c.value(m, l), l)
	}
}

func (c *lighttpdConf) value(m []string, l confLine) string {
	if m[4] == "" {
		return m[2] + m[3]
	}
	text, ok := c.run.env[m[4]]
	if !ok {
		c.run.unknown("%s: only a run can tell what %s is", l.from(), m[4])
	}
	return text
}

func (c *lighttpdConf) set(key, value string, l confLine) {
	switch key {
	case "server.port":
		c.port = found{text: value, from: l.from()}
	case "server.bind":
		c.host = found{text: value, from: l.from()}
	case "server.use-ipv6":
		if value == "enable" && c.host.text == "" {
			c.host = found{text: "::", from: l.from()}
		}
	case "ssl.engine":
		c.tls = c.tls || c.depth == 0 && value == "enable"
	}
}

func (c *lighttpdConf) listen() {
	run := c.run
	if strings.HasPrefix(c.host.text, "/") {
		run.p.Listens = append(run.p.Listens, facts.Listen{Network: "unix", Path: c.host.text, Protocol: "http", HostFrom: c.host.from})
	} else if number, err := portNumber(c.port.text); err != nil || strings.ContainsAny(c.host.text, "${") {
		run.unknown("%s: imglint cannot read the address", c.port.from)
	} else {
		run.addListen(orElse(c.host.text, "0.0.0.0"), number, c.host.from, c.port.from)
	}
	for _, s := range c.sockets {
		host, number, ok := cutPort(s.text)
		port, err := portNumber(number)
		if !ok || err != nil {
			run.unknown("%s: imglint cannot read the address %q", s.from, s.text)
			continue
		}
		run.addOnce(facts.Listen{Network: "tcp", Host: orElse(host, "0.0.0.0"), Port: port, Scope: scope(host, true), HostFrom: s.from, PortFrom: s.from})
	}
	if c.tls && len(run.p.Listens) > 0 {
		run.p.Listens[0].Protocol = "https"
	}
	for _, l := range run.p.Listens {
		if l.Scope == facts.ScopeLoopback {
			run.p.FixPublic = append(run.p.FixPublic, facts.Remedy{Description: "listen on all interfaces", Edit: l.HostFrom + `: server.bind = "0.0.0.0"`})
		}
	}
}
