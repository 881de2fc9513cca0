package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// gunicornSettings are the settings that decide something here, as
// gunicorn.conf.py and the command line name them.
var gunicornSettings = map[string][]string{
	"bind": {"-b", "--bind"}, "daemon": {"-D", "--daemon"}, "preload_app": {"--preload"}, "timeout": {"-t", "--timeout"},
	"worker_class": {"-k", "--worker-class"}, "threads": {"--threads"}, "certfile": {"--certfile"},
}

// gunicornRun merges gunicorn's layers: command line, GUNICORN_CMD_ARGS,
// configuration file, environment, defaults. Each layer replaces the values of
// the one below (measured, 20.1 to 26.1).
type gunicornRun struct {
	*invocation
	args *invocation // GUNICORN_CMD_ARGS as a command line
	conf pyConf
	file string
	err  error // why the configuration file is not known
}

func gunicorn(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	g := &gunicornRun{invocation: run}
	g.layers()
	g.version()
	g.listen()
	g.daemon()
	g.workers()
}

// layers reads GUNICORN_CMD_ARGS and the configuration file.
func (g *gunicornRun) layers() {
	if text := g.env["GUNICORN_CMD_ARGS"]; text != "" {
		c := facts.Command{Argv: []facts.Word{{Text: "gunicorn", Known: true}}}
		for _, w := range strings.Fields(text) {
			c.Argv = append(c.Argv, facts.Word{Text: strings.Trim(w, `"'`), Known: true})
		}
		g.args = newInvocation(c, facts.Launch{}, nil)
		g.args.server = g.server
		g.args.parse(programName{"gunicorn", 1}, g.server)
	}
	name, named := "gunicorn.conf.py", false
	for _, layer := range []*invocation{g.args, g.invocation} {
		if layer == nil {
			continue
		}
		if o := layer.option([]string{"-c", "--config"}); o != nil {
			name, named = o.value, true
			g.err = layer.known(o)
		}
	}
	if module, ok := strings.CutPrefix(name, "python:"); ok {
		name = strings.ReplaceAll(module, ".", "/") + ".py"
	}
	g.file = g.absolute(strings.TrimPrefix(name, "file:"))
	text, err := g.read(g.file)
	switch {
	case g.err != nil:
	case errors.Is(err, fs.ErrNotExist) && !named:
	case err != nil:
		g.err = fmt.Errorf("%s may decide and was not read: %w", g.file, err)
	default:
		g.conf = readPyConf(text, g.env)
	}
}

// values returns the values of a setting from the highest layer that has it.
func (g *gunicornRun) values(key string) []found {
	flags := gunicornSettings[key]
	for _, layer := range []*invocation{g.invocation, g.args} {
		if layer == nil {
			continue
		}
		var all []found
		for i := range layer.options {
			if o := &layer.options[i]; slices.Contains(flags, o.name) {
				from := o.name
				if layer == g.args {
					from = "env GUNICORN_CMD_ARGS"
				}
				all = append(all, found{text: o.value, from: from, explicit: true, err: layer.known(o)})
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	if g.err != nil {
		return []found{{err: g.err}}
	}
	value, ok := g.conf.values[key]
	if !ok {
		return nil
	}
	from := fmt.Sprintf("%s:%d", g.file, value.line)
	if value.err != nil {
		return []found{{err: fmt.Errorf("%s: %w", from, value.err)}}
	}
	var all []found
	for _, text := range value.texts {
		all = append(all, found{text: text, from: from, explicit: true})
	}
	return all
}

func (g *gunicornRun) listen() {
	g.p.Complete = true
	if all := g.values("certfile"); len(all) > 0 {
		if all[0].err != nil {
			g.unknown("%v", all[0].err)
		}
		copied := *g.server
		copied.Protocol = "https"
		g.server = &copied
	}
	if _, ok := g.conf.values["wsgi_app"]; !ok && g.err == nil && len(g.invocation.args) == 0 {
		g.unknown("gunicorn is given no application")
	}
	binds := g.values("bind")
	if len(binds) == 0 {
		binds = []found{{text: "127.0.0.1:8000", from: "gunicorn's default"}}
		if port, ok := g.env["PORT"]; ok { // set but empty counts: exit 1
			binds = []found{{text: "0.0.0.0:" + port, from: "env PORT"}}
		}
	}
	for _, b := range binds {
		if b.err != nil {
			g.unknown("%v", b.err)
			return
		}
		if b.text == "" { // -b '' means every address
			b.text = "0.0.0.0:8000"
		}
		g.add(b.text, g.server.Bind.Address, b.from)
	}
	g.fixPublic(binds)
}

// fixPublic offers --bind, which overrides a configuration file too.
func (g *gunicornRun) fixPublic(binds []found) {
	i := slices.IndexFunc(g.p.Listens, func(l facts.Listen) bool {
		return l.Network == "unix" || l.Scope == facts.ScopeLoopback || l.Scope == facts.ScopeAddress || l.Scope == facts.ScopeAny6
	})
	if i < 0 {
		return
	}
	port := g.p.Listens[i].Port
	if port == 0 {
		port = 8000
	}
	g.p.FixPublic = g.remedy(fix{Flag: "--bind", Value: "0.0.0.0:" + strconv.Itoa(port)}, "listen on all interfaces")
	if strings.HasPrefix(binds[0].from, g.file) {
		g.p.FixPublic = append(g.p.FixPublic, facts.Remedy{
			Description: "listen on all interfaces", Edit: fmt.Sprintf("%s: bind = \"0.0.0.0:%d\"", binds[0].from, port),
			At: binds[0].from, Old: binds[0].text, New: fmt.Sprintf("0.0.0.0:%d", port),
		})
	}
}

func (g *gunicornRun) daemon() {
	switch on, from := g.flag("daemon"); on {
	case facts.Yes:
		g.p.Daemonizes, g.p.DaemonWhy = facts.Yes, from
		g.p.FixForeground = g.remedy(fix{Remove: gunicornSettings["daemon"]}, "stay in the foreground")
		if len(g.p.FixForeground) == 0 {
			g.p.FixForeground = []facts.Remedy{{Description: "stay in the foreground", Edit: from + ": remove daemon", At: from, Old: "True", New: "False"}}
		}
	case facts.No:
		g.p.Daemonizes, g.p.DaemonWhy = facts.No, from
	default:
		g.p.Daemonizes, g.p.DaemonWhy = facts.Unknown, from
	}
}

// flag is a setting that is on or off.
func (g *gunicornRun) flag(key string) (on facts.Tri, from string) {
	all := g.values(key)
	if len(all) == 0 {
		return facts.No, "gunicorn's default"
	}
	v := all[len(all)-1]
	if v.err != nil {
		return facts.Unknown, v.err.Error()
	}
	if v.text == "" { // the option itself
		return facts.Yes, v.from
	}
	switch strings.ToLower(v.text) {
	case "true", "1":
		return facts.Yes, v.from
	case "false", "0", "none":
		return facts.No, v.from
	}
	return facts.Unknown, v.from
}
