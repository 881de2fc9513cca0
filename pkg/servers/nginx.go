package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// nginxFiles is where builds of nginx look for their configuration.
var nginxFiles = []string{"/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf", "/opt/bitnami/nginx/conf/nginx.conf"}

func nginx(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	if why := run.nginxRefuses(); why != "" {
		run.p.Daemonizes, run.p.DaemonWhy = facts.Unknown, ""
		run.unknown("%s", why)
		return
	}
	run.p.Complete = true
	global := run.nginxGlobal()
	conf, err := run.nginxConf()
	run.nginxDaemon(global, conf, err)
	if err != nil {
		run.unknown("%v", err)
		return
	}
	for _, d := range conf {
		switch d.name {
		case "http":
			run.nginxServers(d.block, "http")
		case "stream", "mail":
			run.nginxServers(d.block, "")
		}
	}
	run.nginxFix()
}

// nginxRefuses says why nginx ends before it reads its file: its options are
// wrong ("daemon off;" split into two words, or with quotes in exec form).
func (run *invocation) nginxRefuses() string {
	if len(run.args) > 0 && run.command.Argv[run.args[0]].Known {
		return fmt.Sprintf("nginx refuses %q as an invalid option", run.word(run.args[0]))
	}
	o := run.option([]string{"-g"})
	if o == nil || run.known(o) != nil {
		return ""
	}
	tokens := nginxTokens(o.value)
	if n := len(tokens); n == 0 || !tokens[n-1].plain {
		return fmt.Sprintf("nginx refuses -g %q: it expects a \";\" at the end", o.value)
	}
	return ""
}

// nginxGlobal reads the directives given with -g.
func (run *invocation) nginxGlobal() []directive {
	o := run.option([]string{"-g"})
	if o == nil {
		return nil
	}
	p := nginxParser{}
	all, _ := p.block(nginxTokens(o.value), "-g")
	return all
}

func (run *invocation) nginxConf() ([]directive, error) {
	prefix := run.option([]string{"-p"})
	names := nginxFiles
	if o := run.option([]string{"-c"}); o != nil {
		if err := run.known(o); err != nil {
			return nil, err
		}
		if prefix != nil && !path.IsAbs(o.value) {
			return nil, errors.New("the configuration file stands under -p")
		}
		names = []string{run.absolute(o.value)}
		if !path.IsAbs(o.value) {
			names = []string{path.Join("/etc/nginx", o.value)}
		}
	} else if prefix != nil {
		return nil, errors.New("the configuration file stands under -p")
	}
	for _, name := range names {
		p := nginxParser{run: run, dir: path.Dir(name)}
		conf, err := p.parse(name)
		if errors.Is(err, fs.ErrNotExist) && len(names) > 1 && p.files == 1 {
			continue
		}
		return conf, err
	}
	return nil, errors.New("there is no nginx.conf at a known place")
}

// nginxDaemon: "daemon" counts in the main context only; given both in the
// file and in -g, nginx refuses to start.
func (run *invocation) nginxDaemon(global, conf []directive, err error) {
	if d := find(global, "daemon"); d != nil {
		run.p.Daemonizes, run.p.DaemonWhy = daemonValue(d), "-g"
		if other := find(conf, "daemon"); other != nil {
			run.unknown("nginx refuses \"daemon\" both in -g and in %s:%d", other.file, other.line)
			run.p.Daemonizes = facts.Unknown
		}
		return
	}
	if o := run.option([]string{"-g"}); o != nil && run.known(o) != nil {
		run.p.Daemonizes, run.p.DaemonWhy = facts.Unknown, "only a run can tell what -g is"
		return
	}
	if err != nil {
		run.p.Daemonizes, run.p.DaemonWhy = facts.Unknown, err.Error()
		return
	}
	run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, "nginx's default"
	if d := find(conf, "daemon"); d != nil {
		from := fmt.Sprintf("%s:%d", d.file, d.line)
		run.p.Daemonizes, run.p.DaemonWhy = daemonValue(d), from
		if run.p.Daemonizes == facts.Yes { // with -g nginx would refuse it as given twice
			run.p.FixForeground = []facts.Remedy{{
				Description: "stay in the foreground", Edit: from + ": daemon off;", At: from, Old: "daemon on", New: "daemon off",
			}}
		}
	}
}

func daemonValue(d *directive) facts.Tri {
	if len(d.args) != 1 {
		return facts.Unknown
	}
	switch d.args[0] {
	case "off":
		return facts.No
	case "on":
		return facts.Yes
	}
	return facts.Unknown
}

func find(list []directive, name string) *directive {
	for i := range list {
		if list[i].name == name {
			return &list[i]
		}
	}
	return nil
}

// nginxServers adds the listeners of every server block.
func (run *invocation) nginxServers(block []directive, protocol string) {
	for _, d := range block {
		if d.name != "server" || d.block == nil {
			continue
		}
		listens := 0
		for _, l := range d.block {
			if l.name == "listen" && len(l.args) > 0 {
				listens++
				run.nginxListen(l, protocol)
			}
		}
		if listens == 0 && protocol == "http" { // *:80 as root, *:8000 otherwise
			port := 80
			if user := run.command.User; user != "" && user != "root" && user != "0" {
				port = 8000
			}
			run.addOnce(facts.Listen{Network: "tcp", Host: "0.0.0.0", Scope: facts.ScopeAny, Port: port, Protocol: protocol, HostFrom: "nginx's default", PortFrom: "nginx's default"})
		}
	}
}

func (run *invocation) nginxListen(d directive, protocol string) {
	from := fmt.Sprintf("%s:%d", d.file, d.line)
	address := d.args[0]
	if file, ok := strings.CutPrefix(address, "unix:"); ok {
		run.addOnce(facts.Listen{Network: "unix", Path: file, Protocol: protocol, HostFrom: from})
		return
	}
	host, number, ok := cutPort(address)
	if !ok {
		if _, err := portNumber(address); err == nil {
			host, number = "*", address
		} else {
			number = "80"
		}
	}
	port, err := portNumber(number)
	if err != nil || strings.Contains(address, "$") {
		run.unknown("%s: imglint cannot read the address %q", from, address)
		return
	}
	l := facts.Listen{Network: "tcp", Host: strings.Replace(orElse(host, "*"), "*", "0.0.0.0", 1), Port: port, Protocol: protocol, HostFrom: from, PortFrom: from}
	l.Scope = scope(l.Host, !slices.Contains(d.args, "ipv6only=off"))
	switch {
	case slices.Contains(d.args, "udp") || slices.Contains(d.args, "quic"):
		l.Network, l.Protocol = "udp", ""
	case slices.Contains(d.args, "proxy_protocol"):
		l.Protocol = ""
	case slices.Contains(d.args, "ssl") && protocol == "http":
		l.Protocol = "https"
	}
	run.addOnce(l)
}

// addOnce adds a listener unless several servers share it.
func (run *invocation) addOnce(l facts.Listen) {
	for _, other := range run.p.Listens {
		if other.Network == l.Network && other.Host == l.Host && other.Port == l.Port && other.Path == l.Path {
			return
		}
	}
	run.p.Listens = append(run.p.Listens, l)
}

// nginxFix: the addresses stand in files, the daemon does not have to.
func (run *invocation) nginxFix() {
	for _, l := range run.p.Listens {
		if l.Network == "tcp" && (l.Scope == facts.ScopeLoopback || l.Scope == facts.ScopeAny6 || l.Scope == facts.ScopeAddress) {
			old := net6(l.Host) + ":" + strconv.Itoa(l.Port)
			run.p.FixPublic = append(run.p.FixPublic, facts.Remedy{
				Description: "listen on all interfaces", Edit: fmt.Sprintf("%s: listen %d;", l.HostFrom, l.Port),
				At: l.HostFrom, Old: old, New: strconv.Itoa(l.Port),
			})
		}
	}
}

// net6 puts brackets around an IPv6 address.
func net6(host string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}
