package servers

import (
	"net/netip"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// memcached: -l holds hosts with or without a port, separated by commas, and
// may be repeated. A unix socket takes the place of all others, and port 0
// closes TCP (memcached.c, server_sockets).
func memcached(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	if run.strange != "" {
		run.unknown("the catalogue does not know the option %s of memcached", run.strange)
	}
	if run.unix() {
		return
	}
	hosts := []found{{text: "0.0.0.0", from: "memcached's default"}}
	if run.option([]string{"-l", "--listen"}) != nil {
		hosts = run.memcachedHosts()
	}
	for _, flags := range [][]string{{"-p", "--port"}, {"-U", "--udp-port"}} {
		run.memcachedPort(hosts, flags)
	}
}

func (run *invocation) memcachedHosts() (hosts []found) {
	for i := range run.options {
		o := &run.options[i]
		if !contains([]string{"-l", "--listen"}, o.name) {
			continue
		}
		for host := range strings.SplitSeq(o.value, ",") {
			hosts = append(hosts, found{text: host, from: o.name, err: run.known(o)})
		}
	}
	return hosts
}

// memcachedPort adds the sockets of one protocol.
func (run *invocation) memcachedPort(hosts []found, flags []string) {
	network, standard := "tcp", "11211"
	if flags[0] == "-U" {
		network, standard = "udp", "0"
	}
	port := run.resolve(setting{Flags: flags, Default: standard})
	number, err := portNumber(port.text)
	if err != nil || port.err != nil {
		run.unknown("%s says the port is %q", port.from, port.text)
		return
	}
	for _, host := range hosts {
		if host.err != nil {
			run.unknown("%v", host.err)
			return
		}
		name, own, hasPort := host.text, number, false
		if _, err := netip.ParseAddr(name); err != nil {
			if h, p, ok := cutPort(name); ok {
				name, hasPort = h, true
				if own, err = portNumber(p); err != nil {
					run.unknown("%s says the port is %q", host.from, p)
					return
				}
			}
		}
		if number == 0 {
			continue
		}
		if name == "*" {
			name = "0.0.0.0"
		}
		from := port.from
		if hasPort {
			from = host.from
		}
		run.p.Listens = append(run.p.Listens, facts.Listen{
			Network: network, Host: name, Scope: scope(name, true), Port: own, Protocol: "memcached",
			HostFrom: host.from, PortFrom: from,
		})
	}
}
