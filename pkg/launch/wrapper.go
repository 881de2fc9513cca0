package launch

import (
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

//go:embed wrappers.yaml
var wrappersYAML string

// wrapper is one entry of wrappers.yaml, which explains the fields.
type wrapper struct {
	Name        string
	Aliases     []string
	Runs        string
	Flags       []string
	Values      []string
	Skip        int
	Subcommand  []string
	Permutes    bool
	Separator   bool
	Assignments bool
	Node        bool
	Search      bool
	GoFlags     bool `yaml:"goFlags"`
	LongValues  bool `yaml:"longValues"`
	Numeric     bool
	LeaderOnly  bool     `yaml:"leaderOnly"`
	NotFirst    string   `yaml:"notFirst"`
	ClearEnv    []string `yaml:"clearEnv"`
	KeepEnv     []string `yaml:"keepEnv"`
	UnknownEnv  []string `yaml:"unknownEnv"`
	Background  []string
	Foreground  []string
	Script      []string
	User        []string
	Files       map[string][]string
	Interactive bool
	ShellWord   bool     `yaml:"shellWord"`
	Dirs        []string // options that change the directory
	EnvFile     []string `yaml:"envFile"`
	EnvDefault  string   `yaml:"envDefault"`
	EnvWins     bool     `yaml:"envWins"`
}

var wrapperTable = sync.OnceValue(mustLoadWrappers)

// mustLoadWrappers panics on a broken table, which is part of the program.
func mustLoadWrappers() map[string]wrapper {
	decoder := yaml.NewDecoder(strings.NewReader(wrappersYAML))
	decoder.KnownFields(true)
	var list []wrapper
	if err := decoder.Decode(&list); err != nil {
		panic(fmt.Sprintf("decode wrappers.yaml: %v", err))
	}
	table := map[string]wrapper{}
	for _, w := range list {
		for _, name := range append([]string{w.Name}, w.Aliases...) {
			table[name] = w
		}
	}
	return table
}

// option is an option as it was given; value is nil when it has none.
type option struct {
	name  string
	value *word
}

// unwrap returns the command that a wrapper runs.
func (f *follower) unwrap(words []word, w wrapper) []word {
	rest, options, why := w.parse(words)
	if why != "" {
		return f.settle(words, facts.Unknown, why)
	}
	if rest == nil {
		return f.settle(words, facts.Yes, "") // another subcommand: the program itself
	}
	if script, ok := find(options, w.Script); ok {
		rest = []word{known("sh"), known("-c"), script}
	}
	if w.ShellWord && len(rest) > 0 {
		script := rest[0]
		for _, more := range rest[1:] {
			script.Text, script.Known = script.Text+" "+more.Text, script.Known && more.Known
		}
		script.at = facts.Origin{}
		rest = []word{known("sh"), known("-c"), script}
	}
	for _, value := range slices.Backward(split(w, options)) {
		rest = append([]word{value}, rest...)
	}
	if w.Assignments {
		rest = f.assign(rest)
	}
	if len(rest) == 0 {
		return f.settle(words, facts.Unknown, w.Name+" is given no command")
	}
	if prefix, ok := w.Files[path.Ext(rest[0].Text)]; ok {
		rest = append([]word{known(prefix[0])}, rest...)
	}
	f.trail(where(words), "%s runs %s", w.Name, rest[0].Text)
	return f.enter(words, rest, options, w)
}

// enter applies what the wrapper does to the surroundings of its command.
func (f *follower) enter(words, rest []word, options []option, w wrapper) []word {
	if has(w.UnknownEnv, options) {
		f.blind = w.Name + " adds variables when it runs"
	}
	if has(w.ClearEnv, options) && !has(w.KeepEnv, options) {
		f.clearEnv()
	}
	for _, name := range []string{"-u", "--unset"} {
		if value, ok := find(options, []string{name}); ok && w.Name == "env" {
			delete(f.vars, value.Text)
		}
	}
	if dir, ok := find(options, w.Dirs); ok {
		f.dir = resolve(f.dir, dir.Text)
	}
	f.readEnvFiles(options, w)
	f.changeUser(words, rest, options, w)
	if w.Search {
		f.search = facts.Unknown
	}
	if w.Node {
		f.addNodeBin(f.dir)
	}
	if w.NotFirst != "" && f.first == facts.Yes {
		return f.settle(rest, facts.Unknown, w.NotFirst)
	}
	if w.Permutes && f.swallows(words, rest) {
		return f.settle(rest, facts.Unknown, w.Name+" takes the options of its command for its own unless -- stands before it (glibc)")
	}
	if w.goesToBackground(f.first, options) {
		f.launch.Ends = fmt.Sprintf("%s sends %s to the background and ends", w.Name, rest[0].Text)
	}
	if w.leavesUnknown(f.first, options) {
		return f.settle(rest, facts.Unknown, w.Name+" sends its command to the background when it is the first process")
	}
	if w.Name == "timeout" && f.launch.Limit == "" {
		f.launch.Limit = timeLimit(words, rest)
	}
	if w.Runs != "exec" {
		f.first = facts.No
	}
	return rest
}

// readEnvFiles sets the variables of the files that a wrapper reads.
func (f *follower) readEnvFiles(options []option, w wrapper) {
	given := false
	for _, o := range options {
		if slices.Contains(w.EnvFile, o.name) && o.value != nil {
			f.loadEnv(resolve(f.dir, o.value.Text), w.EnvWins)
			given = true
		}
	}
	if !given && w.EnvDefault != "" {
		f.loadEnv(resolve(f.dir, w.EnvDefault), w.EnvWins)
	}
}

// timeLimit says that timeout DURATION COMMAND ends; "" with the duration 0,
// which is none.
func timeLimit(words, rest []word) string {
	if len(words) <= len(rest) {
		return ""
	}
	duration := words[len(words)-len(rest)-1]
	if !duration.Known || strings.Trim(duration.Text, "0.smhd") == "" {
		return ""
	}
	return fmt.Sprintf("timeout ends %s after %s", path.Base(rest[0].Text), duration.Text)
}

func (w wrapper) goesToBackground(first facts.Tri, options []option) bool {
	if len(w.Background) > 0 && has(w.Background, options) {
		return true
	}
	if w.Runs != "background" || has(w.Foreground, options) {
		return false
	}
	return !w.LeaderOnly || first == facts.Yes
}

func (w wrapper) leavesUnknown(first facts.Tri, options []option) bool {
	return w.LeaderOnly && first == facts.Unknown && !has(w.Foreground, options) && !has(w.Background, options)
}

// swallows reports whether the command has options and no -- protects them.
func (f *follower) swallows(words, rest []word) bool {
	if _, posix, _ := f.vars.lookup("POSIXLY_CORRECT"); posix {
		return false
	}
	before := words[:len(words)-len(rest)]
	if len(before) > 0 && before[len(before)-1].Text == "--" {
		return false
	}
	return slices.ContainsFunc(rest, func(w word) bool { return strings.HasPrefix(w.Text, "-") })
}

func (f *follower) changeUser(words, rest []word, options []option, w wrapper) {
	for _, by := range w.User {
		if by == "skipped" && w.Skip > 0 && len(words) > len(rest) {
			f.user = words[len(words)-len(rest)-1].Text
			return
		}
		if value, ok := find(options, []string{by}); ok {
			f.user = value.Text
			return
		}
	}
}

// clearEnv drops the environment; what takes its place is not known.
func (f *follower) clearEnv() {
	f.vars = vars{}
	f.search = facts.Unknown
}

// assign takes NAME=VALUE words off the front.
func (f *follower) assign(rest []word) []word {
	for len(rest) > 0 {
		name, value, ok := strings.Cut(rest[0].Text, "=")
		if !ok || !validName(name) {
			break
		}
		f.vars.set(name, value, rest[0].Known, true)
		if name == "PATH" {
			f.search = facts.Yes
		}
		rest = rest[1:]
	}
	return rest
}

// split returns the words of env -S.
func split(w wrapper, options []option) []word {
	value, ok := find(options, []string{"-S", "--split-string"})
	if w.Name != "env" || !ok {
		return nil
	}
	var all []word
	for _, text := range strings.Fields(value.Text) {
		all = append(all, word{Word: facts.Word{Text: text, Known: value.Known && !strings.ContainsAny(text, `"'\$`)}})
	}
	return all
}

// find returns the last value given to one of the options.
func find(options []option, names []string) (word, bool) {
	for _, o := range slices.Backward(options) {
		if slices.Contains(names, o.name) && o.value != nil {
			return *o.value, true
		}
	}
	return word{}, false
}

// has reports whether one of the options was given, or none is needed.
func has(names []string, options []option) bool {
	return slices.Contains(names, "always") || slices.ContainsFunc(options, func(o option) bool {
		return slices.Contains(names, o.name)
	})
}
