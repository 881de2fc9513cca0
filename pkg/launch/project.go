package launch

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
)

// projectTool runs the scripts that a project's TOML file names. A script is
// no shell script but for hatch.
type projectTool struct {
	file   string
	table  string // where the scripts stand
	dotenv bool   // .env is read, and wins
	shell  bool
	flags  []string
	values []string
}

var projectTools = map[string]projectTool{
	"pipenv": {file: "Pipfile", table: "scripts", dotenv: true, flags: []string{"-q", "--quiet", "-v", "--verbose"}, values: []string{"--python", "--pypi-mirror"}},
	"pdm":    {file: "pyproject.toml", table: "tool.pdm.scripts", flags: []string{"-s", "--site-packages", "-v", "-q", "-vv"}, values: []string{"-p", "--project", "-c", "--config"}},
	"hatch":  {file: "pyproject.toml", table: "tool.hatch.envs.default.scripts", shell: true, flags: []string{"-v", "-q", "--no-color"}, values: []string{"-e", "--env", "-p", "--project"}},
}

// project follows pipenv, pdm and hatch run NAME to the script of that name,
// or to the command that follows.
func (f *follower) project(words []word, t projectTool) []word {
	name := path.Base(words[0].Text)
	w := wrapper{Name: name, Subcommand: []string{"run"}, Flags: t.flags, Values: t.values}
	rest, _, why := w.parse(words)
	switch {
	case why != "":
		return f.settle(words, facts.Unknown, why)
	case len(rest) == 0:
		return f.settle(words, facts.Yes, "")
	}
	if t.dotenv {
		f.loadEnv(resolve(f.dir, ".env"), true)
	}
	f.search = facts.Unknown
	file := resolve(f.dir, t.file)
	script, ok := f.projectScript(file, t, rest[0].Text)
	if !ok {
		f.trail(where(words), "%s runs %s", name, rest[0].Text)
		return rest
	}
	f.trail(file, "%s runs the script %q: %s", name, rest[0].Text, script)
	if t.shell {
		return []word{known("sh"), known("-c"), known(script + quoted(rest[1:]))}
	}
	all, ok := quotedWords(script)
	if !ok {
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s: the script %q was not read", file, rest[0].Text))
	}
	return append(all, rest[1:]...)
}

// quotedWords splits a text at blanks outside quotes; nothing is expanded.
func quotedWords(text string) (all []word, ok bool) {
	err := syntax.NewParser().Words(strings.NewReader(text), func(w *syntax.Word) bool {
		var b strings.Builder
		for _, part := range w.Parts {
			switch p := part.(type) {
			case *syntax.Lit:
				b.WriteString(p.Value)
			case *syntax.SglQuoted:
				b.WriteString(p.Value)
			case *syntax.DblQuoted:
				b.WriteString((&syntax.Word{Parts: p.Parts}).Lit())
			}
		}
		all = append(all, known(b.String()))
		return true
	})
	return all, err == nil && !strings.ContainsAny(text, "$`\\")
}

var (
	tomlTable  = regexp.MustCompile(`^\s*\[([^\]]+)\]`)
	tomlScript = regexp.MustCompile(`^\s*"?([A-Za-z0-9_:.-]+)"?\s*=\s*(?:\{.*?\bcmd\s*=\s*)?("(?:[^"\\]|\\.)*"|'[^']*')\s*(?:,.*\}|\})?\s*(?:#.*)?$`)
)

// projectScript is the script of that name in a TOML file. Scripts of several
// lines or of several commands are not read.
func (f *follower) projectScript(file string, t projectTool, name string) (string, bool) {
	text, err := f.read(file)
	if err != nil {
		return "", false
	}
	table := ""
	for line := range strings.Lines(text) {
		if m := tomlTable.FindStringSubmatch(line); m != nil {
			table = m[1]
		}
		m := tomlScript.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil || table != t.table || m[1] != name {
			continue
		}
		if m[2][0] == '\'' {
			return strings.Trim(m[2], "'"), true
		}
		script, err := strconv.Unquote(m[2])
		return script, err == nil
	}
	return "", false
}

// denoTask follows deno task NAME to the command of deno.json or package.json.
func (f *follower) denoTask(words []word) []word {
	w := wrapper{Name: "deno", Subcommand: []string{"task"}, Flags: []string{"-q", "--quiet"}, Values: []string{"--cwd", "-c", "--config"}}
	rest, options, why := w.parse(words)
	switch {
	case why != "":
		return f.settle(words, facts.Unknown, why)
	case len(rest) == 0:
		return f.settle(words, facts.Yes, "")
	}
	if dir, ok := find(options, []string{"--cwd"}); ok {
		f.dir = resolve(f.dir, dir.Text)
	}
	for _, name := range []string{"deno.json", "deno.jsonc", "package.json"} {
		file := path.Join(f.dir, name)
		text, err := f.read(file)
		if err != nil {
			continue
		}
		if script, ok := denoScript(text, rest[0].Text); ok {
			f.trail(file, "deno runs the task %q: %s", rest[0].Text, script)
			f.addNodeBin(f.dir)
			f.first = facts.No
			return []word{known("sh"), known("-c"), known(script + quoted(rest[1:]))}
		}
	}
	return f.settle(words, facts.Unknown, fmt.Sprintf("%s has no task %q", f.dir, rest[0].Text))
}

func denoScript(text, name string) (string, bool) {
	var file struct {
		Tasks   map[string]json.RawMessage
		Scripts map[string]string
	}
	if json.Unmarshal([]byte(text), &file) != nil {
		return "", false
	}
	if script, ok := file.Scripts[name]; ok {
		return script, true
	}
	var script string
	if json.Unmarshal(file.Tasks[name], &script) == nil {
		return script, true
	}
	var task struct{ Command string }
	if json.Unmarshal(file.Tasks[name], &task) != nil || task.Command == "" {
		return "", false
	}
	return task.Command, true
}
