package servers

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// found is a setting's value and where it comes from.
type found struct {
	text     string
	from     string
	explicit bool // not the default
	err      error
}

// unknown gives up on the listeners, and says why.
func (run *invocation) unknown(format string, args ...any) {
	if run.p.Why == "" {
		run.p.Why = fmt.Sprintf(format, args...)
	}
	run.p.Complete = false
}

// dropDoubtful takes defaults away where something that is not known may say
// otherwise.
func (run *invocation) dropDoubtful() {
	if !run.hides {
		return
	}
	standard := run.server.Title + "'s default"
	run.p.Listens = slices.DeleteFunc(run.p.Listens, func(l facts.Listen) bool {
		return l.HostFrom == standard || l.PortFrom == standard
	})
}

// listen works out the listeners from the catalogue's data.
func (run *invocation) listen() {
	s := run.server
	run.p.Complete = true
	if run.doubt != "" {
		run.unknown("%s", run.doubt)
	}
	if s.Unknown != "" {
		run.unknown("%s", s.Unknown)
	}
	switch {
	case s.Application && len(run.args) == 0:
		run.unknown("%s is given no application", s.Title)
	case s.Application && s.Options.Stop && len(run.args) > 1:
		run.unknown("%s takes nothing after the application", s.Title)
	}
	if s.None || s.evaluate != nil && s.Port == nil {
		return
	}
	if run.strange != "" {
		run.unknown("the catalogue does not know the option %s of %s", run.strange, s.Title)
	}
	run.checkMaybe()
	unix := run.unix()
	explicit := run.addresses()
	if s.Exclusive && (unix || explicit && run.explicitHostPort()) {
		run.unknown("%s may refuse these options together", s.Title)
	}
	if s.Unix != nil && s.Unix.Wins && unix {
		return
	}
	if s.Port != nil || s.Host != nil {
		run.hostPort(unix || explicit)
	}
	run.further()
	for _, address := range s.Also {
		run.add(address, addressGrammar{EmptyHost: "0.0.0.0"}, run.server.Title+"'s default")
	}
}

// checkMaybe gives up when a file that is not read further may decide.
func (run *invocation) checkMaybe() {
	for _, m := range run.server.Maybe {
		if run.allGiven(m.For) {
			continue
		}
		for _, file := range m.Files {
			if why := run.mayHold(file, m.Keys); why != "" {
				run.unknown("%s", why)
				return
			}
		}
	}
}

// allGiven reports whether flags or the environment decide already.
func (run *invocation) allGiven(settings []string) bool {
	return len(settings) > 0 && !slices.ContainsFunc(settings, func(name string) bool {
		set := run.server.Port
		if name == "host" {
			set = run.server.Host
		}
		return set == nil || !run.resolve(*set).explicit
	})
}

// unix adds the unix socket that is asked for.
func (run *invocation) unix() bool {
	set := run.server.Unix
	if set == nil {
		return false
	}
	v := run.resolve(*set)
	switch {
	case v.err != nil:
		run.unknown("%v", v.err)
		return false
	case v.text == "" || set.PathPrefix && !strings.HasPrefix(v.text, "/") && !strings.HasPrefix(v.text, "."):
		return false
	}
	run.p.Listens = append(run.p.Listens, facts.Listen{Network: "unix", Path: v.text, Protocol: run.server.Protocol, HostFrom: v.from})
	return true
}

// addresses adds the addresses of bind and reports whether there were any.
func (run *invocation) addresses() bool {
	b := run.server.Bind
	if b == nil {
		return false
	}
	all := run.resolveAll(b)
	given := false
	for _, v := range all {
		if v.err != nil {
			run.unknown("%v", v.err)
			return true
		}
		if !v.explicit && (v.text == "" || run.server.Port != nil && run.explicitHostPort()) {
			continue
		}
		run.add(v.text, b.Address, v.from)
		given = given || v.explicit
	}
	return given
}

func (run *invocation) explicitHostPort() bool {
	for _, set := range []*setting{run.server.Host, run.server.Port} {
		if set != nil && run.resolve(*set).explicit {
			return true
		}
	}
	return false
}

// hostPort adds the one listener of host and port. When something else was
// asked for it is there only if it was asked for as well.
func (run *invocation) hostPort(other bool) {
	if other && !run.explicitHostPort() || run.server.Bind != nil && run.server.Bind.Default != "" && !run.explicitHostPort() {
		return
	}
	host, port := setting{}, setting{}
	if run.server.Host != nil {
		host = *run.server.Host
	}
	if run.server.Port != nil {
		port = *run.server.Port
	}
	run.hostPortOf(host, port)
}

func (run *invocation) hostPortOf(hostSetting, portSetting setting) {
	host, port := run.resolve(hostSetting), run.resolve(portSetting)
	for _, v := range []found{host, port} {
		if v.err != nil {
			run.unknown("%v", v.err)
			return
		}
	}
	number, err := portNumber(port.text)
	if err != nil {
		run.unknown("%s says the port is %q", port.from, port.text)
		return
	}
	if strings.ContainsAny(host.text, ":, $") && strings.Count(host.text, ":") < 2 {
		run.unknown("%s says the host is %q", host.from, host.text)
		return
	}
	if host.text == "" {
		host.text = "0.0.0.0"
	}
	run.addListen(host.text, number, host.from, port.from)
}

func portNumber(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > 65535 {
		return 0, fmt.Errorf("%q is not a port", text)
	}
	return n, nil
}

func (run *invocation) addListen(host string, port int, hostFrom, portFrom string) {
	run.p.Listens = append(run.p.Listens, facts.Listen{
		Network: "tcp", Host: host, Port: port, Scope: scope(host, run.server.V6Only),
		Protocol: run.server.Protocol, HostFrom: hostFrom, PortFrom: portFrom,
	})
	if port == 0 {
		run.unknown("the port is chosen at random")
	}
}

// add reads an address the way the server does.
func (run *invocation) add(text string, g addressGrammar, from string) {
	for _, prefix := range g.Unix {
		if file, ok := strings.CutPrefix(text, prefix); ok {
			if prefix == "/" {
				file = text
			}
			file = "/" + strings.TrimLeft(file, "/")
			run.p.Listens = append(run.p.Listens, facts.Listen{Network: "unix", Path: path.Clean(file), Protocol: run.server.Protocol, HostFrom: from})
			return
		}
	}
	host, port, err := g.split(text)
	if err != nil {
		run.unknown("%s: %s cannot listen on %q: %v", from, run.server.Title, text, err)
		return
	}
	portFrom := from
	if !strings.Contains(text, strconv.Itoa(port)) {
		portFrom = run.server.Title + "'s default"
	}
	run.addListen(host, port, from, portFrom)
}
