package servers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// uwsgiSockets are the options that open a socket, and what it speaks. They add
// up over the command line, files and UWSGI_ variables (measured).
var uwsgiSockets = map[string]string{
	"http": "http", "http-socket": "http", "http11-socket": "http",
	"https": "https", "https-socket": "https",
	"socket": "uwsgi", "uwsgi-socket": "uwsgi", "s": "uwsgi",
	"fastcgi-socket": "fastcgi", "scgi-socket": "scgi", "stats": "json", "stats-server": "json",
}

// uwsgiHard opens, reads or decides something that imglint does not follow.
var uwsgiHard = regexp.MustCompile(`^(emperor.*|zerg.*|for.*|end.*|if-.*|include|inherit.*|ini|yaml|json|xml|sqlite|ldap|shared-socket|map-socket|raw-socket|udp|.*router|.*router2|http-to.*|https2|http2|suwsgi-socket|ssl-socket|sctp.*|puwsgi-socket|undeferred-shared-socket|rpc.*|stats-http|snmp|protocol|socket-protocol|attach-daemon.*|smart-attach-daemon.*|legion.*|config|opt)$`)

// uwsgiSetting is one option, wherever it was given.
type uwsgiSetting struct{ key, value, from string }

func uwsgi(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	all, err := run.uwsgiSettings()
	if err != nil {
		run.p.Daemonizes, run.p.DaemonWhy = orTri(run.p.Daemonizes == facts.Yes), err.Error()
		run.unknown("%v", err)
		return
	}
	other := false // what a socket speaks was changed
	for _, s := range all {
		switch {
		case (s.key == "daemonize" || s.key == "daemonize2") && run.p.Daemonizes != facts.Yes:
			run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, s.from
		case uwsgiHard.MatchString(s.key):
			run.unknown("%s: imglint does not follow uwsgi's %s", s.from, s.key)
			other = other || strings.HasSuffix(s.key, "protocol")
		case uwsgiSockets[s.key] != "":
			run.uwsgiSocket(s)
		}
	}
	for i := range run.p.Listens {
		if other && run.p.Listens[i].Protocol == "uwsgi" {
			run.p.Listens[i].Protocol = ""
		}
	}
	run.uwsgiInner(all)
	run.uwsgiFix()
}

func orTri(yes bool) facts.Tri {
	if yes {
		return facts.Yes
	}
	return facts.Unknown
}

// uwsgiSettings collects what files, options and variables say.
func (run *invocation) uwsgiSettings() ([]uwsgiSetting, error) {
	var all []uwsgiSetting
	files := run.uwsgiFiles()
	for _, o := range run.options {
		key := strings.TrimLeft(o.name, "-")
		if key == "d" {
			key = "daemonize"
		}
		if key == "ini" || key == "yaml" || key == "y" || key == "json" || key == "j" || key == "xml" || key == "x" {
			continue // read as a file
		}
		if err := run.known(&o); err != nil && (uwsgiSockets[key] != "" || uwsgiHard.MatchString(key)) {
			return nil, err
		}
		all = append(all, uwsgiSetting{key, o.value, o.name})
	}
	for name, value := range run.env {
		if key, ok := strings.CutPrefix(name, "UWSGI_"); ok && value != "" {
			key = strings.ReplaceAll(strings.ToLower(key), "_", "-")
			if key != "ini" {
				all = append(all, uwsgiSetting{key, value, "env " + name})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b uwsgiSetting) int { return strings.Compare(a.from, b.from) })
	for _, file := range files {
		more, err := run.uwsgiFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// uwsgiFiles are the configuration files that are named.
func (run *invocation) uwsgiFiles() []string {
	var files []string
	for _, o := range run.options {
		if slices.Contains([]string{"--ini", "--yaml", "-y", "--json", "-j", "--xml", "-x"}, o.name) {
			files = append(files, o.value)
		}
	}
	for _, i := range run.args {
		name, _, _ := strings.Cut(run.word(i), ":")
		if slices.Contains([]string{".ini", ".yml", ".yaml", ".json", ".js", ".xml"}, path.Ext(name)) {
			files = append(files, run.word(i))
		}
	}
	if file := run.env["UWSGI_INI"]; file != "" {
		files = append(files, file)
	}
	return files
}

func (run *invocation) uwsgiSocket(s uwsgiSetting) {
	protocol := uwsgiSockets[s.key]
	address, _, _ := strings.Cut(s.value, ",") // https: address,certificate,key
	host, number, ok := cutPort(address)
	port, err := portNumber(number)
	switch {
	case host == "*" || strings.Contains(address, "://") || strings.ContainsAny(address, "${}%@") || ok && err != nil:
		run.unknown("%s: imglint cannot read the address %q", s.from, s.value)
		return
	case !ok: // also a plain number: a file of that name
		run.p.Listens = append(run.p.Listens, facts.Listen{Network: "unix", Path: address, Protocol: protocol, HostFrom: s.from})
		return
	}
	host = orElse(host, "0.0.0.0")
	run.p.Listens = append(run.p.Listens, facts.Listen{
		Network: "tcp", Host: host, Port: port, Scope: scope(host, false), Protocol: protocol, HostFrom: s.from, PortFrom: s.from,
	})
	if port == 0 {
		run.unknown("the port is chosen at random")
	}
}

// uwsgiFix opens what listens on loopback, unless something is open already.
func (run *invocation) uwsgiFix() {
	for _, l := range run.p.Listens {
		public := fmt.Sprintf("0.0.0.0:%d", l.Port)
		switch {
		case l.Scope == facts.ScopeAny:
			run.p.FixPublic = []facts.Remedy{}
			return
		case l.Scope != facts.ScopeLoopback || l.Port == 0 || run.p.FixPublic != nil:
		case strings.HasPrefix(l.HostFrom, "-"):
			run.p.FixPublic = run.remedy(fix{Flag: l.HostFrom, Value: public}, "listen on all interfaces")
		case !strings.HasPrefix(l.HostFrom, "env "):
			run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Edit: l.HostFrom + ": " + public}}
		}
	}
}

// uwsgiInner: the http router without a socket to pass requests to opens one on
// loopback, at a random port; and uwsgi without any socket ends.
func (run *invocation) uwsgiInner(all []uwsgiSetting) {
	has := func(keys ...string) bool {
		return slices.ContainsFunc(all, func(s uwsgiSetting) bool { return slices.Contains(keys, s.key) })
	}
	switch {
	case !run.p.Complete, has("socket", "uwsgi-socket", "s", "http-socket", "http11-socket", "https-socket", "fastcgi-socket", "scgi-socket"):
	case has("http", "https"):
		run.p.Listens = append(run.p.Listens, facts.Listen{
			Network: "tcp", Host: "127.0.0.1", Scope: facts.ScopeLoopback, Protocol: "uwsgi",
			HostFrom: "uwsgi's router", PortFrom: "random",
		})
	default:
		run.unknown("uwsgi is given no socket")
	}
}

// uwsgiFile reads FILE or FILE:SECTION.
func (run *invocation) uwsgiFile(name string) ([]uwsgiSetting, error) {
	name, section, _ := strings.Cut(name, ":")
	file := run.absolute(name)
	text, err := run.read(file)
	if err != nil {
		return nil, fmt.Errorf("%s may decide and was not read: %w", file, err)
	}
	switch path.Ext(name) {
	case ".ini", "":
		return run.uwsgiIni(file, text, orElse(section, "uwsgi")), nil
	case ".yml", ".yaml", ".json", ".js":
		return uwsgiYAML(file, text, orElse(section, "uwsgi"))
	}
	return nil, fmt.Errorf("%s decides, and imglint does not read it", file)
}
