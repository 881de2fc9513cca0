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
}

// managers: measured, npm drops the options it is given without --.
var managers = map[string]manager{
	"npm":  {dashes: true, dirs: []string{"--prefix", "-C"}, values: []string{"-w", "--workspace", "--loglevel", "--script-shell"}},
	"yarn": {direct: true, dirs: []string{"--cwd"}},
	"pnpm": {direct: true, dirs: []string{"-C", "--dir"}, values: []string{"-F", "--filter"}},
}

// npmLifecycle are the scripts that npm, yarn and pnpm run without "run".
var npmLifecycle = map[string]bool{"start": true, "test": true, "stop": true, "restart": true}

// manager follows npm, yarn and pnpm to the command of a script.
func (f *follower) manager(words []word, pm manager) []word {
	name, args, dir, why := pm.parse(words, f.dir)
	if why != "" {
		return f.settle(words, facts.Unknown, why)
	}
	if name == "" {
		return f.settle(words, facts.Yes, "")
	}
	f.addNodeBin(dir)
	if name == "exec" {
		f.dir, f.first = dir, facts.No
		return args
	}
	file := path.Join(dir, "package.json")
	scripts, err := f.packageScripts(file)
	script, ok := scripts[name]
	switch {
	case err != nil:
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s cannot be read: %v", file, err))
	case !ok && name == "start" && f.exists(path.Join(dir, "server.js")) == facts.Yes && words[0].Text == "npm":
		f.trail(file, "npm start runs server.js: there is no start script")
		f.dir, f.first = dir, facts.No
		return append([]word{known("node"), known("server.js")}, args...)
	case !ok && pm.direct && !npmLifecycle[name]:
		f.dir, f.first, f.search = dir, facts.No, facts.Unknown
		return append([]word{known(name)}, args...) // node_modules/.bin/NAME
	case !ok:
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s has no script %q", file, name))
	}
	if pre, ok := scripts["pre"+name]; ok {
		f.launch.Before = append(f.launch.Before, f.command([]word{known("sh"), known("-c"), known(pre)}))
	}
	f.trail(file, "%s runs the script %q: %s", words[0].Text, name, script)
	f.dir, f.first = dir, facts.No
	return []word{known("sh"), known("-c"), known(script + quoted(args))}
}

// parse returns the script's name and arguments; "exec" is a command.
func (pm manager) parse(words []word, dir string) (name string, args []word, in, why string) {
	in = dir
	rest := words[1:]
	run := false
	for len(rest) > 0 {
		text := rest[0].Text
		key, value, joined := strings.Cut(text, "=")
		switch {
		case !rest[0].Known:
			return "", nil, in, "only a run can tell what " + text + " means to " + words[0].Text
		case slices.Contains(pm.dirs, key) || slices.Contains(pm.values, key):
			if !joined && len(rest) > 1 {
				value, rest = rest[1].Text, rest[1:]
			}
			if slices.Contains(pm.dirs, key) {
				in = resolve(in, value)
			} else if key == "-w" || key == "--workspace" || key == "-F" || key == "--filter" {
				return "", nil, in, words[0].Text + " runs the script of a workspace"
			}
		case strings.HasPrefix(text, "-"): // an option without a value
		case !run && (text == "run" || text == "run-script" || text == "rum"):
			run = true
		case run || npmLifecycle[text]:
			return text, pm.arguments(rest[1:]), in, ""
		case text == "exec":
			return "exec", skipDashes(rest[1:]), in, ""
		case pm.direct && !yarnOwn[text]:
			return text, rest[1:], in, ""
		default:
			return "", nil, in, ""
		}
		rest = rest[1:]
	}
	return "", nil, in, ""
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
