package servers

import (
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var postgresInclude = regexp.MustCompile(`^include(?:_dir|_if_exists)?[ \t]*=?[ \t]*'([^']+)'`)

// postgresSetting is one line of postgresql.conf.
var postgresSetting = regexp.MustCompile(`^(listen_addresses|port|config_file)[ \t]*[= \t][ \t]*(?:'([^']*)'|(\S+))`)

// postgres reads postgresql.conf where it is in the image, or the sample that
// initdb makes it of; options beat it.
func postgres(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	if run.strange != "" {
		run.unknown("the catalogue does not know the option %s of postgres", run.strange)
	}
	values := map[string]found{
		"listen_addresses": {text: "localhost", from: "postgres's default"}, "port": {text: "5432", from: "postgres's default"},
	}
	given := run.postgresOptions()
	if err := run.postgresFile(given, values); err != nil {
		run.unknown("%v", err)
		return
	}
	for name, v := range given {
		values[name] = v
	}
	run.postgresListen(values["listen_addresses"], values["port"])
}

// postgresOptions are the settings of the command line.
func (run *invocation) postgresOptions() map[string]found {
	given := map[string]found{}
	for _, o := range run.options {
		switch o.name {
		case "-h":
			given["listen_addresses"] = found{text: o.value, from: "-h", explicit: true}
		case "-i":
			given["listen_addresses"] = found{text: "*", from: "-i", explicit: true}
		case "-p":
			given["port"] = found{text: o.value, from: "-p", explicit: true}
		case "-c":
			name, value, _ := strings.Cut(o.value, "=")
			given[strings.ReplaceAll(name, "-", "_")] = found{text: value, from: "-c " + name, explicit: true}
		case "--listen_addresses", "--listen-addresses", "--port", "--config-file", "--config_file":
			given[strings.ReplaceAll(strings.TrimPrefix(o.name, "--"), "-", "_")] = found{text: o.value, from: o.name, explicit: true}
		}
	}
	return given
}

func (run *invocation) postgresFile(given, values map[string]found) error {
	dir := run.env["PGDATA"]
	if o := run.option([]string{"-D"}); o != nil {
		dir = o.value
	}
	names := []string{dir + "/postgresql.conf"}
	if v, ok := given["config_file"]; ok {
		names = []string{v.text}
	} else if all, err := run.glob("/usr/share/postgresql/postgresql.conf.sample"); err == nil {
		names = append(names, all...)
	}
	file, _, err := run.confFile(&conf{Files: names})
	if err != nil || file == "" {
		return err
	}
	reader := lineReader{run: run, include: postgresInclude, suffix: "*.conf", dir: file[:strings.LastIndexByte(file, '/')]}
	lines, err := reader.read(file, 0)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if m := postgresSetting.FindStringSubmatch(l.text); m != nil {
			values[m[1]] = found{text: m[2] + m[3], from: l.from(), explicit: true}
		}
	}
	return nil
}

func (run *invocation) postgresListen(hosts, port found) {
	number, err := portNumber(port.text)
	if err != nil {
		run.unknown("%s says the port is %q", port.from, port.text)
		return
	}
	for host := range strings.SplitSeq(hosts.text, ",") {
		host = strings.TrimSpace(host)
		switch host {
		case "":
			continue
		case "*":
			host = "0.0.0.0"
		}
		run.p.Listens = append(run.p.Listens, facts.Listen{
			Network: "tcp", Host: host, Port: number, Scope: scope(host, true), Protocol: "postgres", HostFrom: hosts.from, PortFrom: port.from,
		})
	}
}
