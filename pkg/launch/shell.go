package launch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// shells are the programs that run shell scripts.
var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ash": true}

// shellKind tells shells apart where they differ.
type shellKind string

const (
	kindUnknown shellKind = ""
	kindDash    shellKind = "dash"    // stays in front of the last command (0.5.12, measured)
	kindBash    shellKind = "bash"    // executes the last command in place
	kindBusybox shellKind = "busybox" // executes the last command in place
)

// shellKind resolves the link that sh usually is.
func (f *follower) shellKind(name string) shellKind {
	names := []string{path.Base(name)}
	if found := f.find(name); found.Found == facts.Yes {
		names = append(names, path.Base(f.link(found.Path)))
	}
	for _, n := range names {
		switch n {
		case "dash", "bash", "busybox":
			return shellKind(n)
		}
	}
	return kindUnknown
}

// shell follows sh -c SCRIPT [$0 $1 …] and sh FILE [$1 …].
func (f *follower) shell(words []word, kind shellKind) []word {
	o := parseShellOptions(words)
	switch {
	case o.unknown != "":
		return f.settle(words, facts.Unknown, fmt.Sprintf("only a run can tell what %s means to the shell", o.unknown))
	case o.login:
		f.search = facts.Unknown // /etc/profile sets PATH anew
	}
	name := path.Base(words[0].Text)
	if !o.script {
		if len(o.rest) == 0 || o.stdin {
			return f.settle(words, facts.Yes, "")
		}
		return f.shellFile(words, o.rest, name, kind)
	}
	if len(o.rest) == 0 {
		return f.settle(words, facts.Unknown, name+" -c is given no script")
	}
	script := o.rest[0]
	if !script.Known {
		return f.settle(words, facts.Unknown, "only a run can tell what the shell's script is")
	}
	s := &shell{f: f, name: name, kind: kind, place: script.at, label: where(o.rest), zero: known(name), params: o.rest[1:], words: words, fromCmd: script.at.Field == finding.FieldCmd}
	if len(s.params) > 0 {
		s.zero, s.params = s.params[0], s.params[1:]
	}
	if script.at.End != 0 {
		s.place = facts.Origin{} // quoted inside another script
	}
	f.trail(s.label, "%s runs the script: %s", name, oneLine(script.Text))
	return s.run(script.Text)
}

// shell is one shell that runs a script.
type shell struct {
	f      *follower
	name   string
	kind   shellKind
	label  string       // for the trail
	file   string       // "" for a script given with -c
	place  facts.Origin // where the script stands in the image's config
	source string
	zero   word
	params []word
	words  []word // the command that started the shell
	funcs  map[string]*syntax.Stmt
	calls  int
	sent   int  // how many commands ran before the last one went to the background
	traps  bool // a trap keeps the shell in front
	allVar bool // set -a
	start  memory
	// params0 are the parameters that the script was started with.
	params0 []word
	fromCmd bool // CMD names the script, or is it
	tried   bool // the interpreter was asked
	waited  int  // how many background commands there were at the last wait
}

// run follows the script and returns the command it ends in.
func (s *shell) run(text string) []word {
	s.f.scripts++
	s.f.usesArgs = s.f.usesArgs || s.fromCmd
	s.source = text
	if s.file != "" && !slices.Contains(s.f.launch.Scripts, s.file) {
		s.f.launch.Scripts = append(s.f.launch.Scripts, s.file)
	}
	s.sent = len(s.f.launch.Before)
	s.funcs = map[string]*syntax.Stmt{}
	s.start, s.params0 = s.f.remember(), s.params
	if strings.Contains(text, "\r\n") { // the parser would drop what a shell keeps
		return s.f.settle(s.words, facts.Unknown, "the script has Windows line ends: the last word of every line ends in a carriage return")
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), s.label)
	if err != nil {
		return s.f.settle(s.words, facts.Unknown, fmt.Sprintf("the shell script cannot be parsed: %v", err))
	}
	if readsArguments(file) {
		s.f.usesArgs = true
	}
	end := s.list(file.Stmts, true)
	if end.kind == goOn {
		end = s.theEnd("the shell script ends")
	}
	return s.finish(end)
}

// finish turns the end of a script into the follower's next words.
func (s *shell) finish(end outcome) []word {
	f := s.f
	switch end.kind {
	case undecided:
		if words, ok := s.interpret(anything); ok {
			return words
		}
		why := end.why
		if s.file != "" {
			why = fmt.Sprintf("an entrypoint script decides: %s (%s)", s.file, end.why)
		}
		return f.settle(s.words, facts.Unknown, why)
	case ended:
		f.launch.Ends = end.why
		words := end.words
		if len(words) == 0 {
			words = s.words
		}
		return f.settle(words, facts.Yes, "")
	}
	if n := unknowns(end.words); n > 0 {
		if words, ok := s.interpret(n); ok {
			return words
		}
	}
	if s.opaque() {
		if words, ok := s.interpret(certainly); ok {
			return words
		}
	}
	s.stayInFront(end)
	if end.certain != facts.Yes {
		f.settle(end.words, end.certain, end.why)
		return nil
	}
	return end.words
}

// opaque reports whether something runs first that reading does not show,
// or writes a file.
func (s *shell) opaque() bool {
	before := s.f.launch.Before
	return slices.ContainsFunc(before[min(s.start.before, len(before)):], func(c facts.Command) bool {
		return writers[path.Base(c.Name())] || c.Name() == "" && (c.Runs == nil || slices.ContainsFunc(c.Runs, func(r facts.Command) bool { return writers[path.Base(r.Name())] }))
	})
}

// writers are programs whose work on files the interpreter can do.
var writers = map[string]bool{"tee": true, "sed": true, "envsubst": true, "cp": true, "mv": true}

// stayInFront records whether the shell remains the first process.
func (s *shell) stayInFront(end outcome) {
	f := s.f
	if end.exec {
		return
	}
	stays := facts.Unknown
	switch {
	case end.stays || s.traps || s.kind == kindDash || s.file != "":
		stays = facts.Yes
	case s.kind == kindBash || s.kind == kindBusybox:
		stays = facts.No
	}
	if stays == facts.Yes && f.first == facts.Yes && f.launch.Shell == "" {
		f.launch.Shell = s.name
	}
	switch {
	case stays == facts.Yes:
		f.first = facts.No
	case stays == facts.Unknown && f.first == facts.Yes:
		f.first = facts.Unknown
	}
}

func oneLine(text string) string {
	text, rest, more := strings.Cut(text, "\n")
	if more && rest != "" || len(text) > 120 {
		return text[:min(len(text), 120)] + " …"
	}
	return text
}
