package servers

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// dotnet predicts an ASP.NET Core program, which its runtimeconfig.json names:
// --urls, ASPNETCORE_URLS and the HTTP ports that .NET 8 and newer images set.
// Without any it is localhost:5000 unless the code says otherwise
// (dotnet/AspNetCore.Docs, kestrel/endpoints).
func dotnet(run *invocation) {
	if len(run.args) == 0 || run.p.Ends != "" || path.Ext(run.word(run.args[0])) != ".dll" || !run.aspNet(run.absolute(run.word(run.args[0]))) {
		return
	}
	run.p.Server, run.p.Title = "aspnetcore", "ASP.NET Core"
	run.p.Daemonizes, run.p.DaemonWhy = facts.No, "an ASP.NET Core web server"
	run.p.Why, run.p.Complete = "", true
	if why := run.mayHold(path.Join(path.Dir(run.word(run.args[0])), "appsettings.json"), []string{`(?i)"urls"`, `(?i)"kestrel"`, `(?i)"https?_ports"`}); why != "" {
		run.unknown("%s", why)
	}
	for name := range run.env {
		if strings.HasPrefix(strings.ToLower(name), "kestrel__") || strings.EqualFold(name, "URLS") {
			run.unknown("env %s may decide", name)
		}
	}
	urls := run.resolve(setting{Flags: []string{"--urls"}, Env: []string{"ASPNETCORE_URLS", "DOTNET_URLS"}})
	ports := run.resolve(setting{Env: []string{"ASPNETCORE_HTTP_PORTS", "DOTNET_HTTP_PORTS"}})
	if err := firstError(urls.err, ports.err); err != nil {
		run.unknown("%v", err)
		return
	}
	switch {
	case urls.text != "":
		for _, url := range strings.Split(urls.text, ";") {
			run.kestrel(url, urls.from)
		}
	case ports.text != "":
		for _, port := range strings.Split(ports.text, ";") {
			run.kestrel("http://*:"+port, ports.from)
		}
	default:
		run.kestrel("http://localhost:5000", "ASP.NET Core's default")
		run.unknown("the program's code may set another address")
	}
	run.kestrelFix()
}

// aspNet reports whether the program uses the web framework.
func (run *invocation) aspNet(dll string) bool {
	text, err := run.read(strings.TrimSuffix(dll, ".dll") + ".runtimeconfig.json")
	if err != nil {
		return false
	}
	var conf struct {
		RuntimeOptions struct {
			Framework  struct{ Name string }
			Frameworks []struct{ Name string }
		}
	}
	if json.Unmarshal([]byte(text), &conf) != nil {
		return false
	}
	names := []string{conf.RuntimeOptions.Framework.Name}
	for _, f := range conf.RuntimeOptions.Frameworks {
		names = append(names, f.Name)
	}
	return contains(names, "Microsoft.AspNetCore.App")
}

// kestrel reads a URL: *, + and names other than localhost are all addresses.
func (run *invocation) kestrel(url, from string) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(url), "://")
	rest, _, _ = strings.Cut(rest, "/")
	host, number, hasPort := cutPort(rest)
	port, err := portNumber(number)
	switch {
	case !ok || scheme != "http" && scheme != "https" || hasPort && err != nil || strings.HasPrefix(rest, "unix:"):
		run.unknown("%s: imglint cannot read the address %q", from, url)
		return
	case !hasPort && scheme == "https":
		port = 443
	case !hasPort:
		port = 80
	}
	if scope(host, false) == facts.ScopeUnknown || host == "*" {
		host = "::"
	}
	run.addListen(host, port, from, from)
	run.p.Listens[len(run.p.Listens)-1].Protocol = scheme
}

func (run *invocation) kestrelFix() {
	for _, l := range run.p.Listens {
		if l.Scope == facts.ScopeLoopback {
			url := "http://0.0.0.0:" + run.portOf(l)
			run.p.FixPublic = []facts.Remedy{{Description: "listen on all interfaces", Env: []string{"ASPNETCORE_URLS=" + url}}}
			if run.option([]string{"--urls"}) != nil {
				run.p.FixPublic = run.remedy(fix{Flag: "--urls", Value: url}, "listen on all interfaces")
			}
		}
	}
}
