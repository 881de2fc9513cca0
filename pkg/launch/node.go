package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// manager is how a package manager runs the scripts of package.json.
type manager struct {
	direct bool     // NAME alone runs a script
	dashes bool     // arguments for the script come after --
	dirs   []string // options that name the directory
	values []string // other options with a value
	spaces []string // options that choose a workspace
	space  string   // the subcommand that does
	files  bool     // NAME may be a file, which it runs itself
}

// managers: measured, npm drops the options it is given without --.
var managers = map[string]manager{
	"npm":  {dashes: true, dirs: []string{"--prefix", "-C"}, spaces: []string{"-w", "--workspace"}, values: []string{"--loglevel", "--script-shell"}},
	"yarn": {direct: true, dirs: []string{"--cwd"}, space: "workspace"},
	"pnpm": {direct: true, dirs: []string{"-C", "--dir"}, spaces: []string{"-F", "--filter"}},
	"bun":  {direct: true, files: true, dirs: []string{"--cwd"}, spaces: []string{"-F", "--filter"}, values: []string{"--env-file", "-r", "--preload", "-c", "--config"}},
}

// npmLifecycle are the scripts that npm, yarn and pnpm run without "run".
var npmLifecycle = map[string]bool{"start": true, "test": true, "stop": true, "restart": true}

// asked is what a package manager is asked for.
type asked struct {
	script string // "exec": the arguments are a command
	args   []word
	dir    string
	why    string // nobody can tell
}

// manager follows npm, yarn, pnpm and bun to the command of a script.
func (f *follower) manager(words []word, pm manager) []word {
	a := f.asked(words, pm)
	if a.why != "" {
		return f.settle(words, facts.Unknown, a.why)
	}
	if a.script == "" || pm.files && f.exists(path.Join(a.dir, a.script)) == facts.Yes {
		return f.settle(words, facts.Yes, "")
	}
	f.addNodeBin(a.dir)
	if a.script == "exec" {
		f.dir, f.first = a.dir, facts.No
		return a.args
	}
	return f.packageScript(words, pm, a)
}

// packageScript follows a script of package.json.
func (f *follower) packageScript(words []word, pm manager, a asked) []word {
	name, file := a.script, path.Join(a.dir, "package.json")
	scripts, err := f.packageScripts(file)
	script, ok := scripts[name]
	switch {
	case pm.files && !ok && path.Ext(name) != "":
		return f.settle(words, facts.Yes, "") // a file that was not examined
	case err != nil:
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s cannot be read: %v", file, err))
	case !ok && name == "start" && f.exists(path.Join(a.dir, "server.js")) == facts.Yes && words[0].Text == "npm":
		f.trail(file, "npm start runs server.js: there is no start script")
		f.dir, f.first = a.dir, facts.No
		return append([]word{known("node"), known("server.js")}, a.args...)
	case !ok && pm.direct && !npmLifecycle[name]:
		f.dir, f.first, f.search = a.dir, facts.No, facts.Unknown
		return append([]word{known(name)}, a.args...) // node_modules/.bin/NAME
	case !ok:
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s has no script %q", file, name))
	}
	f.dir, f.first = a.dir, facts.No
	if pre, ok := scripts["pre"+name]; ok {
		f.launch.Before = append(f.launch.Before, f.resolved(f.command([]word{known("sh"), known("-c"), known(pre)})))
	}
	f.trail(file, "%s runs the script %q: %s", words[0].Text, name, script)
	return []word{known("sh"), known("-c"), known(script + quoted(a.args))}
}

// asked reads the words of a package manager.
func (f *follower) asked(words []word, pm manager) asked {
	a := asked{dir: f.dir}
	rest, run := words[1:], false
	for len(rest) > 0 {
		text := rest[0].Text
		key, value, joined := strings.Cut(text, "=")
		switch {
		case !rest[0].Known:
			a.why = "only a run can tell what " + text + " means to " + words[0].Text
			return a
		case slices.Contains(pm.dirs, key) || slices.Contains(pm.values, key) || slices.Contains(pm.spaces, key):
			if !joined && len(rest) > 1 {
				value, rest = rest[1].Text, rest[1:]
			}
			f.place(&a, pm, key, value)
		case text == "-r" || text == "--recursive" || text == "--workspaces" || text == "-ws":
			a.why = words[0].Text + " runs the scripts of several workspaces"
		case strings.HasPrefix(text, "-"): // an option without a value
		case pm.space != "" && text == pm.space && !run && len(rest) > 1:
			a.dir, a.why = f.workspace(a.dir, rest[1].Text)
			rest = rest[1:]
		case !run && (text == "run" || text == "run-script" || text == "rum"):
			run = true
		default:
			f.later(&a, pm, rest[1:])
			return pm.choose(a, rest, run)
		}
		rest = rest[1:]
	}
	return a
}

// later reads npm's options behind the script's name, up to --.
func (f *follower) later(a *asked, pm manager, rest []word) {
	for i, w := range rest {
		key, value, joined := strings.Cut(w.Text, "=")
		if !pm.dashes || w.Text == "--" {
			return
		}
		if !joined && i+1 < len(rest) {
			value = rest[i+1].Text
		}
		if w.Text == "--workspaces" || w.Text == "-ws" {
			a.why = "npm runs the scripts of several workspaces"
		}
		f.place(a, pm, key, value)
	}
}

// place applies an option that chooses where the script stands.
func (f *follower) place(a *asked, pm manager, key, value string) {
	switch {
	case slices.Contains(pm.dirs, key):
		a.dir = resolve(a.dir, value)
	case slices.Contains(pm.spaces, key) && a.why == "":
		a.dir, a.why = f.workspace(a.dir, value)
	}
}

// choose reads the first word that is no option.
func (pm manager) choose(a asked, rest []word, run bool) asked {
	switch text := rest[0].Text; {
	case run || npmLifecycle[text]:
		a.script, a.args = text, pm.arguments(rest[1:])
	case text == "exec":
		a.script, a.args = "exec", skipDashes(rest[1:])
	case text == "x" && pm.files || text == "dlx":
		a.script, a.args = "exec", skipDashes(rest[1:])
	case pm.direct && !yarnOwn[text]:
		a.script, a.args = text, rest[1:]
	}
	return a
}

func resolve(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// yarnOwn are the commonest subcommands of yarn and pnpm themselves.
var yarnOwn = map[string]bool{
	"add": true, "install": true, "i": true, "dlx": true, "node": true, "workspace": true, "workspaces": true,
	"global": true, "remove": true, "cache": true, "config": true, "init": true, "why": true, "create": true,
}

func skipDashes(words []word) []word {
	if len(words) > 0 && words[0].Text == "--" {
		return words[1:]
	}
	return words
}

func (pm manager) arguments(rest []word) []word {
	if !pm.dashes {
		return rest
	}
	var args []word
	for i, w := range rest {
		if w.Text == "--" {
			return append(args, rest[i+1:]...)
		}
		if !strings.HasPrefix(w.Text, "-") {
			args = append(args, w)
		}
	}
	return args
}

// quoted appends arguments to a script the way npm does.
func quoted(args []word) string {
	var b strings.Builder
	for _, a := range args {
		q, err := syntax.Quote(a.Text, syntax.LangPOSIX)
		if err != nil {
			q = a.Text
		}
		b.WriteString(" " + q)
	}
	return b.String()
}

var errTooLarge = errors.New("too large to read")

func (f *follower) packageScripts(file string) (map[string]string, error) {
	text, err := f.read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file")
	}
	if err != nil {
		return nil, err
	}
	var pkg struct {
		Scripts map[string]string `json:"scripts"`
	}
	if err := json.Unmarshal([]byte(text), &pkg); err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	return pkg.Scripts, nil
}

// addNodeBin puts node_modules/.bin in front of PATH, as npm and npx do.
func (f *follower) addNodeBin(dir string) {
	old, _, _ := f.vars.lookup("PATH")
	f.vars.set("PATH", path.Join(dir, "node_modules/.bin")+":"+old, true, true)
}
