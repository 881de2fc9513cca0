package servers

import (
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// redis: words on the command line beat the file, and within the file the last
// line counts. Several addresses may follow bind.
func redis(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	zero := 0
	file := func(pattern string) *conf {
		return &conf{Positional: &zero, Required: true, Pattern: pattern, Unless: `(?mi)^[ \t]*include[ \t]`}
	}
	port := run.resolve(setting{Flags: []string{"--port"}, Conf: file(`(?mi)^[ \t]*port[ \t]+(\S+)`), Default: "6379"})
	hosts := run.resolve(setting{Flags: []string{"--bind"}, Conf: file(`(?mi)^[ \t]*bind[ \t]+(.*)$`), Default: "*"})
	run.p.Complete = true
	for _, v := range []found{port, hosts} {
		if v.err != nil {
			run.unknown("%v", v.err)
			return
		}
	}
	if o := run.option([]string{"--bind"}); o != nil {
		hosts.text = strings.Join(append([]string{hosts.text}, run.wordsAfter(o.at)...), " ")
	}
	if run.option([]string{"--tls-port"}) != nil {
		run.unknown("more listeners are asked for")
	}
	if file := run.resolve(setting{Flags: []string{"--unixsocket"}, Conf: file(`(?mi)^[ \t]*unixsocket[ \t]+(\S+)`)}); file.err == nil && file.text != "" {
		run.p.Listens = append(run.p.Listens, facts.Listen{Network: "unix", Path: file.text, Protocol: "redis", HostFrom: file.from})
	}
	number, err := portNumber(port.text)
	if err != nil {
		run.unknown("%s says the port is %q", port.from, port.text)
		return
	}
	if number == 0 { // port 0 closes TCP
		return
	}
	run.redisHosts(hosts, number, port.from)
	run.redisFix()
}

// wordsAfter are the words up to the next option.
func (run *invocation) wordsAfter(i int) []string {
	var words []string
	for i++; i < len(run.command.Argv) && !strings.HasPrefix(run.word(i), "--"); i++ {
		words = append(words, run.word(i))
	}
	return words
}

func (run *invocation) redisHosts(hosts found, port int, portFrom string) {
	for _, host := range strings.Fields(strings.Trim(hosts.text, `"`)) {
		optional := strings.HasPrefix(host, "-") // "-::1": no error if it cannot be had
		host = strings.Trim(strings.TrimPrefix(host, "-"), `"`)
		if host == "*" {
			host = "0.0.0.0"
		}
		if optional && scope(host, true) == facts.ScopeLoopback && len(run.p.Listens) > 0 {
			continue
		}
		l := facts.Listen{Network: "tcp", Host: host, Scope: scope(host, true), Port: port, Protocol: "redis", HostFrom: hosts.from, PortFrom: portFrom}
		run.p.Listens = append(run.p.Listens, l)
	}
}

// redisFix: --bind beats the file; without a password protected mode still
// refuses strangers.
func (run *invocation) redisFix() {
	if len(run.p.Listens) == 0 || run.p.Listens[0].Network != "tcp" || run.p.Listens[0].Scope != facts.ScopeLoopback {
		return
	}
	words := run.command.Words()
	if o := run.option([]string{"--bind"}); o != nil {
		words[o.at] = "0.0.0.0"
		words = append(words[:o.at+1], words[o.at+1+len(run.wordsAfter(o.at)):]...)
	} else {
		words = append(words, "--bind", "0.0.0.0")
	}
	if run.option([]string{"--protected-mode", "--requirepass"}) == nil {
		words = append(words, "--protected-mode", "no")
	}
	run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces at port " + strconv.Itoa(run.p.Listens[0].Port), Argv: words}}
}
