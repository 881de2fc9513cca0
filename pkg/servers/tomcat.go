package servers

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	javaProperty = regexp.MustCompile(`-D([\w.]+)=(\S*)`)
	propertyUse  = regexp.MustCompile(`\$\{([\w.-]+)(?::-?([^}]*))?\}`)
)

// tomcatHomes is where images put it.
var tomcatHomes = []string{"/usr/local/tomcat", "/opt/tomcat", "/opt/bitnami/tomcat", "/var/lib/tomcat10", "/var/lib/tomcat9", "/usr/share/tomcat10", "/usr/share/tomcat9", "/usr/share/tomcat"}

// tomcat reads the connectors of conf/server.xml, and the shutdown port, which
// is on loopback.
func tomcat(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	file, text, err := run.tomcatFile()
	if err != nil {
		run.unknown("%v", err)
		return
	}
	if run.p.Daemonizes == facts.Unknown && strings.HasSuffix(run.program, "startup.sh") {
		run.p.Daemonizes, run.p.DaemonWhy, run.p.Why = facts.Yes, "startup.sh of tomcat goes to the background", ""
	}
	run.p.Complete = run.p.Why == ""
	properties := map[string]string{}
	for _, name := range []string{"JAVA_OPTS", "CATALINA_OPTS", "JAVA_TOOL_OPTIONS"} {
		for _, m := range javaProperty.FindAllStringSubmatch(run.env[name], -1) {
			properties[m[1]] = m[2]
		}
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = false
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		if e, ok := token.(xml.StartElement); ok {
			line := 1 + strings.Count(text[:min(int(d.InputOffset()), len(text))], "\n")
			run.tomcatElement(e, properties, fmt.Sprintf("%s:%d", file, line))
		}
	}
	if len(run.p.Listens) == 0 {
		run.unknown("%s has no connector", file)
	}
}

// tomcatFile finds server.xml by the program's own place, the variables, or
// where images have it.
func (run *invocation) tomcatFile() (file, text string, err error) {
	homes := tomcatHomes
	if name := run.command.Name(); path.IsAbs(name) && path.Base(path.Dir(name)) == "bin" {
		homes = []string{path.Dir(path.Dir(name))}
	}
	for _, name := range []string{"CATALINA_HOME", "CATALINA_BASE"} {
		if home := run.env[name]; home != "" {
			homes = []string{home}
		}
	}
	for _, home := range homes {
		file = path.Join(home, "conf/server.xml")
		text, err = run.read(file)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("%s decides and was not read: %w", file, err)
	}
	return file, text, err
}

func (run *invocation) tomcatElement(e xml.StartElement, properties map[string]string, from string) {
	known := true
	value := func(name string) string {
		for _, a := range e.Attr {
			if strings.EqualFold(a.Name.Local, name) {
				return propertyUse.ReplaceAllStringFunc(a.Value, func(use string) string {
					m := propertyUse.FindStringSubmatch(use)
					text, ok := properties[m[1]]
					known = known && (ok || m[2] != "")
					return orElse(text, m[2])
				})
			}
		}
		return ""
	}
	host, protocol := value("address"), "http"
	switch e.Name.Local {
	case "Server":
		host, protocol = orElse(host, "localhost"), ""
		if n := value("port"); n == "-1" || n == "" {
			return
		}
	case "Connector":
		if strings.HasPrefix(strings.ToUpper(value("protocol")), "AJP") || strings.Contains(value("protocol"), ".ajp.") {
			host, protocol = orElse(host, "localhost"), "ajp"
		}
		if strings.EqualFold(value("SSLEnabled"), "true") {
			protocol = "https"
		}
	default:
		return
	}
	port, err := portNumber(value("port"))
	if err != nil || !known {
		run.unknown("%s: imglint cannot tell the port", from)
		return
	}
	host = orElse(host, "::")
	run.addOnce(facts.Listen{Network: "tcp", Host: host, Port: port, Scope: scope(host, false), Protocol: protocol, HostFrom: from, PortFrom: from})
	if scope(host, false) == facts.ScopeLoopback && protocol == "http" {
		run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Edit: from + `: take address="` + host + `" away`}}
	}
}
