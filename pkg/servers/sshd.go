package servers

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	sshdInclude = regexp.MustCompile(`^(?i:include)[ \t=]+(\S+)$`)
	sshdSetting = regexp.MustCompile(`^(?i)(port|listenaddress|addressfamily|match)[ \t=]+"?([^"#]+?)"?[ \t]*(?:#.*)?$`)
)

// sshd reads Port and ListenAddress; the ports of -p replace those of the file
// (sshd(8), sshd_config(5)).
func sshd(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	if run.strange != "" || run.option([]string{"-o"}) != nil {
		run.unknown("options given with -o may decide")
		return
	}
	file := "/etc/ssh/sshd_config"
	if o := run.option([]string{"-f"}); o != nil {
		file = run.absolute(o.value)
	}
	lines, err := run.confLines(file, sshdInclude)
	if err != nil {
		run.unknown("%v", err)
		return
	}
	var ports, addresses []found
	for _, l := range lines {
		m := sshdSetting.FindStringSubmatch(l.text)
		if m == nil {
			continue
		}
		v := found{text: m[2], from: l.from()}
		switch strings.ToLower(m[1]) {
		case "match": // what follows is about single users
			run.sshdListen(ports, addresses)
			return
		case "port":
			ports = append(ports, v)
		case "listenaddress":
			addresses = append(addresses, v)
		case "addressfamily":
			if m[2] == "inet6" {
				run.unknown("%s: imglint does not follow AddressFamily", v.from)
			}
		}
	}
	run.sshdListen(ports, addresses)
}

func (run *invocation) sshdListen(ports, addresses []found) {
	var given []found
	for _, o := range run.options {
		if o.name == "-p" {
			given = append(given, found{text: o.value, from: "-p", err: run.known(&o)})
		}
	}
	if len(given) > 0 {
		ports = given
	}
	if len(ports) == 0 {
		ports = []found{{text: "22", from: "sshd's default"}}
	}
	if len(addresses) == 0 {
		addresses = []found{{text: "0.0.0.0", from: "sshd's default"}}
	}
	for _, a := range addresses {
		host, own, ok := cutPort(a.text)
		if strings.Count(a.text, ":") > 1 && !strings.HasPrefix(a.text, "[") {
			host, ok = a.text, false
		}
		if ok {
			run.sshdAdd(host, found{text: own, from: a.from}, a.from)
			continue
		}
		for _, p := range ports {
			run.sshdAdd(host, p, a.from)
		}
	}
}

func (run *invocation) sshdAdd(host string, port found, from string) {
	number, err := strconv.Atoi(port.text)
	if err = firstError(port.err, err); err != nil {
		run.unknown("%s: %v", port.from, err)
		return
	}
	run.addListen(host, number, from, port.from)
}

func firstError(all ...error) error {
	if i := slices.IndexFunc(all, func(err error) bool { return err != nil }); i >= 0 {
		return all[i]
	}
	return nil
}
