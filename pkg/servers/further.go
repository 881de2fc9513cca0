package servers

import "github.com/imglint/imglint/pkg/facts"

// further adds the listeners that the catalogue calls more.
func (run *invocation) further() {
	for _, m := range run.server.More {
		before := len(run.p.Listens)
		if m.Bind != nil {
			run.furtherAddresses(m.Bind)
		} else {
			run.furtherPort(m)
		}
		run.anyPort(m, before)
		for i := before; i < len(run.p.Listens); i++ {
			l := &run.p.Listens[i]
			l.Protocol = m.Protocol
			if m.Network != "" && l.Network == "tcp" {
				l.Network = m.Network
			}
		}
	}
}

// anyPort: a default of port 0 on the loopback address is the program's own
// business, and does not make the others uncertain.
func (run *invocation) anyPort(m further, before int) {
	chosen := m.Bind != nil && len(run.p.Listens) > before && run.p.Listens[before].Port == 0 && run.p.Listens[before].Scope == facts.ScopeLoopback
	if chosen && run.p.Why == "the port is chosen at random" {
		run.p.Why, run.p.Complete = "", true
	}
}

func (run *invocation) furtherAddresses(b *bind) {
	for _, v := range run.resolveAll(b) {
		switch {
		case v.err != nil:
			run.unknown("%v", v.err)
		case v.text != "":
			run.add(v.text, b.Address, v.from)
		}
	}
}

func (run *invocation) furtherPort(m further) {
	port := run.resolve(*m.Port)
	if port.err == nil && (port.text == "" || port.text == "0") {
		return
	}
	host := found{text: "0.0.0.0", from: run.server.Title + "'s default"}
	if m.Host != nil {
		host = run.resolve(*m.Host)
	}
	number, err := portNumber(port.text)
	switch {
	case port.err != nil:
		run.unknown("%v", port.err)
	case host.err != nil:
		run.unknown("%v", host.err)
	case err != nil:
		run.unknown("%s says the port is %q", port.from, port.text)
	default:
		run.addListen(host.text, number, host.from, port.from)
	}
}
