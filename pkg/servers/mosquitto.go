package servers

import (
	"regexp"
	"strings"
)

var mosquittoInclude = regexp.MustCompile(`^include_dir[ \t]+(\S+)`)

// mosquitto listens on the loopback addresses unless its configuration has a
// listener (mosquitto 2.0, "local only mode").
func mosquitto(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	run.p.Complete = true
	if run.strange != "" {
		run.unknown("the catalogue does not know the option %s of mosquitto", run.strange)
	}
	if o := run.option([]string{"-c", "--config-file"}); o != nil {
		if err := run.known(o); err != nil {
			run.unknown("%v", err)
			return
		}
		file := run.absolute(o.value)
		reader := lineReader{run: run, include: mosquittoInclude, suffix: "*.conf", dir: "/"}
		lines, err := reader.read(file, 0)
		if err != nil {
			run.unknown("%v", err)
			return
		}
		if run.mosquittoLines(lines) {
			return
		}
	}
	port := run.resolve(setting{Flags: []string{"-p", "--port"}, Default: "1883"})
	number, err := portNumber(port.text)
	if err != nil || port.err != nil {
		run.unknown("%s says the port is %q", port.from, port.text)
		return
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		run.addListen(host, number, "mosquitto's default", port.from)
	}
}

// mosquittoLines adds the listeners and reports whether there are any.
func (run *invocation) mosquittoLines(lines []confLine) (any bool) {
	for _, l := range lines {
		words := strings.Fields(l.text)
		switch {
		case words[0] == "listener" && len(words) > 1:
			any = true
			host := "0.0.0.0"
			if len(words) > 2 {
				host = words[2]
			}
			number, err := portNumber(words[1])
			if err != nil || number == 0 {
				run.unknown("%s: a listener without a port", l.from())
				continue
			}
			run.addListen(host, number, l.from(), l.from())
		case words[0] == "protocol" && len(words) > 1 && words[1] == "websockets" && len(run.p.Listens) > 0:
			run.p.Listens[len(run.p.Listens)-1].Protocol = "http"
		case words[0] == "port" || words[0] == "bind_address" || words[0] == "bind_interface":
			run.unknown("%s: imglint does not follow %s", l.from(), words[0])
		}
	}
	return any
}
