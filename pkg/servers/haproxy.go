package servers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// neverIncludes is for formats without includes.
var neverIncludes = regexp.MustCompile(`^\x00()$`)

var haproxyVariable = regexp.MustCompile(`\$\{(\w+)(?:-([^}]*))?\}|\$(\w+)`)

// haproxy reads the bind lines of every frontend and listen section.
func haproxy(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	files := run.valuesOf("-f")
	if len(files) == 0 {
		run.unknown("haproxy is given no configuration")
		return
	}
	h := haproxyConf{run: run, modes: map[string]string{"": "tcp"}}
	for _, file := range files {
		lines, err := run.confLines(run.absolute(file), neverIncludes)
		if err != nil {
			run.unknown("%v", err)
			return
		}
		for _, l := range lines {
			h.line(l)
		}
	}
	h.end()
}

// valuesOf are all values of an option.
func (run *invocation) valuesOf(name string) []string {
	var all []string
	for _, o := range run.options {
		if o.name == name {
			all = append(all, o.value)
		}
	}
	return all
}

type haproxyConf struct {
	run     *invocation
	section string
	mode    string
	modes   map[string]string // of the defaults sections, by name
	name    string
	first   int // the section's first listener
}

var haproxySections = []string{"global", "defaults", "frontend", "listen", "backend", "peers", "userlist", "resolvers", "mailers", "program", "cache", "ring", "http-errors", "fcgi-app", "log-forward"}

func (h *haproxyConf) line(l confLine) {
	words := strings.Fields(l.text)
	switch {
	case slices.Contains(haproxySections, words[0]):
		h.begin(words, l)
	case strings.HasPrefix(words[0], "."): // .if
		h.run.unknown("%s: imglint does not follow conditions", l.from())
	case words[0] == "mode" && len(words) > 1:
		h.mode = words[1]
	case words[0] == "bind" && len(words) > 1 && (h.section == "frontend" || h.section == "listen"):
		h.bind(words[1], words[2:], l)
	case words[0] == "bind" && h.section == "peers":
		h.run.unknown("%s: imglint does not read peers", l.from())
	}
}

// begin starts a section, whose mode is the one of the defaults in force.
func (h *haproxyConf) begin(words []string, l confLine) {
	h.end()
	h.section, h.name, h.mode, h.first = words[0], "", h.modes[""], len(h.run.p.Listens)
	if i := slices.Index(words, "from"); i > 0 && i+1 < len(words) {
		h.mode = orElse(h.modes[words[i+1]], h.mode)
	}
	if h.section == "defaults" {
		h.mode = "tcp"
		if len(words) > 1 {
			h.name = words[1]
		}
	}
	if h.section == "log-forward" || h.section == "program" {
		h.run.unknown("%s: imglint does not read %s", l.from(), h.section)
	}
}

// end gives the section's listeners its mode, which may stand below bind.
func (h *haproxyConf) end() {
	if h.section == "defaults" {
		h.modes[""] = h.mode
		h.modes[h.name] = h.mode
	}
	for i := h.first; i < len(h.run.p.Listens); i++ {
		if l := &h.run.p.Listens[i]; l.Protocol == "" && h.mode == "http" {
			l.Protocol = "http"
		}
	}
	h.first = len(h.run.p.Listens)
}

func (h *haproxyConf) bind(addresses string, options []string, l confLine) {
	known := true
	addresses = haproxyVariable.ReplaceAllStringFunc(strings.Trim(addresses, `"`), func(v string) string {
		m := haproxyVariable.FindStringSubmatch(v)
		value, ok := h.run.env[m[1]+m[3]]
		known = known && (ok || m[2] != "")
		return orElse(value, m[2])
	})
	protocol := ""
	if slices.Contains(options, "ssl") {
		protocol = "https"
	}
	for _, address := range strings.Split(addresses, ",") {
		address = strings.TrimPrefix(strings.TrimPrefix(address, "ipv4@"), "ipv6@")
		if file, ok := strings.CutPrefix(address, "unix@"); ok || strings.HasPrefix(address, "/") {
			h.run.p.Listens = append(h.run.p.Listens, facts.Listen{Network: "unix", Path: file, Protocol: protocol, HostFrom: l.from()})
			continue
		}
		host, number, ok := cutPort(address)
		port, err := portNumber(number)
		if !known || !ok || err != nil || strings.Contains(address, "@") {
			h.run.unknown("%s: imglint cannot read the address %q", l.from(), address)
			continue
		}
		host = strings.Replace(orElse(host, "0.0.0.0"), "*", "0.0.0.0", 1)
		h.run.p.Listens = append(h.run.p.Listens, facts.Listen{
			Network: "tcp", Host: host, Port: port, Scope: scope(host, slices.Contains(options, "v6only")),
			Protocol: protocol, HostFrom: l.from(), PortFrom: l.from(),
		})
		if scope(host, false) == facts.ScopeLoopback {
			h.run.p.FixPublic = append(h.run.p.FixPublic, facts.Remedy{Description: "listen on all interfaces", Edit: l.from() + ": bind *:" + number})
		}
	}
}
