package servers

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// invocation is one command as its program reads it.
type invocation struct {
	command facts.Command
	launch  facts.Launch
	files   fs.FS
	all     []server // the catalogue
	env     map[string]string
	names   []programName
	program string
	server  *server
	p       facts.Prediction

	first   int // the first word after the program's name
	insert  int // where an option can be inserted
	options []option
	args    []int  // the words that are no options
	doubt   string // why nothing is certain
	hides   bool   // the doubt is about the defaults, too
	strange string // an option that the catalogue does not know
}

// programName is a name that the catalogue may know, and how many words it takes.
type programName struct {
	text  string
	words int
}

// option is an option as it was given.
type option struct {
	name  string
	value string
	index int // the word it stands in
	at    int // the word its value stands in; -1: it has none
	from  int // the byte in that word where the value starts
}

var pythonName = regexp.MustCompile(`^(python|pypy)[0-9.]*$`)

// interpreterValues are the options of interpreters that take a value.
var interpreterValues = map[string]string{
	"python": "-W -X", "node": "-r --require --import --loader -C --conditions", "ruby": "-I -r -C -E", "php": "-c -d", "perl": "-I -M",
}

// inlineCode are the options whose value is a program.
var inlineCode = map[string]bool{
	"python -c": true, "ruby -e": true, "perl -e": true, "node -e": true, "node -p": true, "node --eval": true, "node --print": true, "php -r": true, "php -S": true,
}

// newInvocation finds the names a command goes by. It returns nil when the
// program is not known.
func newInvocation(c facts.Command, l facts.Launch, files fs.FS) *invocation {
	if c.Name() == "" {
		return nil
	}
	run := &invocation{command: c, launch: l, files: files, env: map[string]string{}}
	for _, kv := range c.Env {
		if key, value, ok := strings.Cut(kv, "="); ok {
			run.env[key] = value
		}
	}
	base := path.Base(c.Name())
	run.program = base
	if pythonName.MatchString(base) {
		base = "python"
	}
	if base == "nodejs" {
		base = "node"
	}
	run.names = append(interpreted(base, c.Argv), programName{base, 1})
	if base == "busybox" && len(c.Argv) > 1 {
		run.names = []programName{{"busybox " + c.Argv[1].Text, 2}}
	}
	if applets[base] {
		run.disguised(base)
	}
	if strings.HasPrefix(c.Name(), "/etc/init.d/") {
		run.names = append([]programName{{"/etc/init.d/", 1}}, run.names...)
	}
	return run
}

// interpreted names what an interpreter runs: "python -m MODULE", or the
// script's file name.
func interpreted(base string, argv []facts.Word) []programName {
	values, ok := interpreterValues[base]
	if !ok {
		return nil
	}
	for i := 1; i < len(argv); i++ {
		text := argv[i].Text
		switch {
		case !argv[i].Known || text == "-":
			return nil
		case base == "python" && text == "-m":
			if i+1 < len(argv) && argv[i+1].Known {
				return []programName{{"python -m " + argv[i+1].Text, i + 2}}
			}
			return nil
		case inlineCode[base+" "+text] || base == "python" && strings.HasPrefix(text, "-m"):
			return nil
		case slices.Contains(strings.Fields(values), text):
			i++
		case strings.HasPrefix(text, "-"):
		default:
			return []programName{{scriptName(base, text), i + 1}}
		}
	}
	return nil
}

// scriptName turns node_modules/next/dist/bin/next into next, and what Nuxt
// builds into the name of its server.
func scriptName(interpreter, file string) string {
	name := path.Base(file)
	if interpreter == "node" && strings.HasSuffix("/"+file, "/.output/server/index.mjs") {
		return "nitro server"
	}
	if interpreter == "node" && strings.Contains(file, "node_modules/") {
		return strings.TrimSuffix(name, path.Ext(name))
	}
	return name
}

// parse reads the words after a program's name.
func (run *invocation) parse(name programName, s *server) {
	run.first, run.insert = name.words, name.words
	run.options, run.args, run.strange = nil, nil, ""
	r := reader{run: run, known: s.optionTable(), grammar: s.Options}
	for i := name.words; i < len(run.command.Argv); i++ {
		i = r.word(i)
	}
}

func (run *invocation) word(i int) string { return run.command.Argv[i].Text }

// subcommand is the first word that is no option.
func (run *invocation) subcommand() string {
	if len(run.args) == 0 {
		return ""
	}
	return run.word(run.args[0])
}

func (run *invocation) takeSubcommand() {
	run.insert = run.args[0] + 1
	run.args = run.args[1:]
}

// option returns the last of these options that was given.
func (run *invocation) option(names []string) *option {
	for i := range slices.Backward(run.options) {
		if slices.Contains(names, run.options[i].name) {
			return &run.options[i]
		}
	}
	return nil
}

// known reports whether the words that decide a value are known.
func (run *invocation) known(o *option) error {
	for _, i := range []int{o.index, o.at} {
		if i < 0 {
			continue
		}
		w := run.command.Argv[i]
		if !w.Known {
			return fmt.Errorf("only a run can tell what %s is", w.Text)
		}
		if len(w.Literal) > 0 {
			return fmt.Errorf("%s reaches %s as it is written", w.Text, run.program)
		}
	}
	return nil
}
