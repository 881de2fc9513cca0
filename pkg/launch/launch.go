// Package launch works out what an image finally runs: ENTRYPOINT and CMD are
// followed through wrappers, shells, scripts and package managers to the last
// program in the foreground. It reads the image's files and runs nothing.
package launch

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// maxDepth bounds how many wrappers, shells and scripts are followed; scripts
// may call themselves.
const maxDepth = 16

// Follow works out what the image runs. env is what the platform and the user
// add to the image's environment; files is the image's root and may be nil.
func Follow(cfg facts.Config, env []string, files fs.FS) facts.Launch {
	return FollowWith(cfg, env, files, nil)
}

// FollowWith is Follow with an interpreter for the scripts that cannot be
// decided by reading them.
func FollowWith(cfg facts.Config, env []string, files fs.FS, interpreter Interpreter) facts.Launch {
	l := facts.Launch{Argv: cfg.Argv()}
	if len(l.Argv) == 0 {
		l.Known = facts.Yes
		return l
	}
	f := &follower{
		launch: &l,
		files:  files,
		vars:   newVars(cfg.Env, env),
		dir:    path.Join("/", cfg.WorkingDir),
		user:   cfg.User,
		first:  facts.Yes,
		search: facts.Yes,

		interpreter: interpreter,
	}
	l.Program = f.describe(l.Argv[0])
	l.Healthcheck = f.healthcheck(cfg.Healthcheck)
	f.follow(configWords(cfg))
	if len(cfg.Cmd) > 0 {
		l.CommandIgnored = f.ignored(cfg)
	}
	return l
}

// word is one argument and the element of the image's config it stands in;
// at.Field is empty when it stands elsewhere.
type word struct {
	facts.Word
	at facts.Origin
}

func known(text string) word { return word{Word: facts.Word{Text: text, Known: true}} }

var variable = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*))`)

// configWords are the words of ENTRYPOINT and CMD. No shell expands them, so
// what looks like a variable stays as it is.
func configWords(cfg facts.Config) []word {
	var words []word
	add := func(field finding.Field, texts []string) {
		for i, text := range texts {
			w := known(text)
			w.at = facts.Origin{Field: field, Index: i}
			for _, m := range variable.FindAllStringSubmatch(text, -1) {
				w.Literal = append(w.Literal, m[1]+m[2])
			}
			words = append(words, w)
		}
	}
	add(finding.FieldEntrypoint, cfg.Entrypoint)
	add(finding.FieldCmd, cfg.Cmd)
	return words
}

// follower holds the surroundings of the command that is being followed.
type follower struct {
	launch *facts.Launch
	files  fs.FS
	vars   vars
	dir    string // "" when it is not known
	user   string
	// first: the command will be the container's first process.
	first facts.Tri
	// search: programs are looked up on PATH and nowhere else.
	search facts.Tri
	// blind says why the environment is not known.
	blind string
	depth int
	// usesArgs: some script on the way reads its positional parameters.
	usesArgs bool
	scripts  int
	// interpreter is nil when there is none; assumed: Command rests on a
	// decision that only a run can make, and why says which.
	interpreter Interpreter
	assumed     string
	expanded    int // bytes that expansions have made so far
	resolving   int // commands that run first and were followed
}

// follow goes through the words until a command is settled.
func (f *follower) follow(words []word) {
	for words != nil {
		f.depth++
		if f.depth > maxDepth {
			f.settle(words, facts.Unknown, "too many programs call each other")
			return
		}
		words = f.step(words)
	}
}

// step takes one wrapper, shell or script away. It returns nil when the
// command is settled.
func (f *follower) step(words []word) []word {
	switch {
	case len(words) == 0:
		return f.settle(nil, facts.Unknown, "no command is given")
	case !words[0].Known:
		return f.settle(words, facts.Unknown, fmt.Sprintf("only a run can tell which program %s names", words[0].Text))
	}
	name := path.Base(words[0].Text)
	if !shells[name] && name != "busybox" && !f.isScript(words[0].Text) {
		f.usesArgs = f.usesArgs || slices.ContainsFunc(words, func(w word) bool { return w.at.Field == finding.FieldCmd })
	}
	if name == "busybox" && len(words) > 1 && words[1].Known && shells[words[1].Text] {
		return f.shell(words[1:], kindBusybox)
	}
	if shells[name] {
		return f.shell(words, f.shellKind(words[0].Text))
	}
	if name == "su" || name == "runuser" {
		return f.switchUser(words)
	}
	if next, ok := f.launcher(name, words); ok {
		return next
	}
	if w, ok := wrapperTable()[name]; ok {
		return f.unwrap(words, w)
	}
	return f.program(words)
}

// launcher follows the programs that start what a file of the image names; ok
// is false for other programs.
func (f *follower) launcher(name string, words []word) (next []word, ok bool) {
	if pm, ok := managers[name]; ok {
		return f.manager(words, pm), true
	}
	if t, ok := projectTools[name]; ok {
		return f.project(words, t), true
	}
	if m, ok := procfileManagers[name]; ok {
		return f.processes(words, m), true
	}
	switch {
	case name == "start-stop-daemon":
		return f.startStopDaemon(words), true
	case name == "deno" && len(words) > 1 && words[1].Text == "task":
		return f.denoTask(words), true
	}
	if services, main, why, ok := f.tree(words); ok {
		return f.supervise(words, services, main, why), true
	}
	return nil, false
}

// program settles a program, or follows it when it is an entrypoint script.
func (f *follower) program(words []word) []word {
	final := f.describe(words[0].Text)
	if final.Kind == "" && final.Found != facts.No && looksLikeScript(words[0].Text) {
		return f.settleAs(words, final, facts.Unknown, "an entrypoint script decides: "+words[0].Text+" (not examined)")
	}
	if final.Kind != "script" || isProgram(final) {
		return f.settleAs(words, final, facts.Yes, "")
	}
	if !shells[path.Base(interpreterName(final, f))] {
		return f.settleAs(words, final, facts.Yes, "")
	}
	return f.scriptFile(words, final)
}

// isScript reports whether a program is a script that a shell reads, which
// need not use its arguments.
func (f *follower) isScript(name string) bool {
	p := f.describe(name)
	return p.Kind == "script" && !isProgram(p)
}

// settle ends the following: words are the command.
func (f *follower) settle(words []word, certain facts.Tri, why string) []word {
	var final facts.Program
	if len(words) > 0 && words[0].Known {
		final = f.describe(words[0].Text)
	}
	return f.settleAs(words, final, certain, why)
}

func (f *follower) settleAs(words []word, final facts.Program, certain facts.Tri, why string) []word {
	if certain == facts.Yes && f.blind != "" {
		certain, why = facts.Unknown, f.blind
	}
	if certain == facts.Yes && f.assumed != "" {
		certain, why = facts.Unknown, f.assumed
	}
	if name := f.vars.unknownExported(); certain == facts.Yes && name != "" {
		certain, why = facts.Unknown, fmt.Sprintf("a script sets %s to a value that only a run can tell", name)
	}
	f.launch.Command = f.command(words)
	f.launch.Final = final
	f.launch.Known, f.launch.Why = certain, why
	return nil
}

// command describes words in the present surroundings.
func (f *follower) command(words []word) facts.Command {
	c := facts.Command{Env: f.vars.environ(), EnvUnknown: f.vars.unknownNames(), Dir: f.dir, User: f.user}
	for _, w := range words {
		c.Argv = append(c.Argv, w.Word)
	}
	if len(words) == 0 {
		return c
	}
	c.Origin = words[0].at
	last := words[len(words)-1].at
	if c.Origin.End != 0 && last.Field == c.Origin.Field && last.Index == c.Origin.Index {
		c.Origin.End = max(c.Origin.End, last.End)
	}
	return c
}

func (f *follower) trail(where, format string, args ...any) {
	f.launch.Trail = append(f.launch.Trail, facts.Step{Where: where, Did: fmt.Sprintf(format, args...)})
}

// where names the place of words for a person.
func where(words []word) string {
	if len(words) == 0 || words[0].at.Field == "" {
		return ""
	}
	return string(words[0].at.Field)
}

func texts(words []word) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = w.Text
	}
	return all
}

// ignored says why CMD has no effect, "" when it has or that is not known.
func (f *follower) ignored(cfg facts.Config) string {
	if len(cfg.Entrypoint) == 0 || f.scripts == 0 || f.usesArgs || f.launch.Known != facts.Yes {
		return ""
	}
	if f.launch.Command.Origin.Field == finding.FieldCmd {
		return ""
	}
	return fmt.Sprintf("%s never uses its arguments", strings.Join(cfg.Entrypoint[:1], ""))
}
