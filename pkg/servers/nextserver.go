package servers

import (
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// node predicts the server that `next build` writes with output: standalone.
// It listens on HOSTNAME, which Docker always sets to the container's name: one
// address, that others reach and 127.0.0.1 does not (measured with next 16.4.6).
func node(run *invocation) {
	script := path.Base(run.command.Words()[len(run.command.Argv)-1])
	if run.p.Ends != "" || run.p.Interactive != "" || script != "server.js" {
		return
	}
	text, err := run.read(run.absolute(run.command.Words()[len(run.command.Argv)-1]))
	if err != nil || !strings.Contains(text, "process.env.HOSTNAME || '0.0.0.0'") || !strings.Contains(text, "process.env.PORT") || !strings.Contains(text, "next") {
		return
	}
	run.p.Server, run.p.Title = "next-standalone", "next's standalone server"
	run.p.Daemonizes, run.p.DaemonWhy = facts.No, "a web server"
	run.p.Why, run.p.Complete = "", true
	host := run.resolve(setting{Env: []string{"HOSTNAME"}, Default: ""})
	port := run.resolve(setting{Env: []string{"PORT"}, Default: "3000"})
	number, err := portNumber(port.text)
	if err = firstError(host.err, port.err, err); err != nil {
		run.unknown("%v", err)
		return
	}
	if host.text == "" {
		run.p.Listens = append(run.p.Listens, facts.Listen{
			Network: "tcp", Port: number, Protocol: "http", HostFrom: "env HOSTNAME, the container's name", PortFrom: port.from,
		})
		return
	}
	run.addListen(host.text, number, host.from, port.from)
	run.p.Listens[0].Protocol = "http"
	run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Env: []string{"HOSTNAME=0.0.0.0"}}}
}
