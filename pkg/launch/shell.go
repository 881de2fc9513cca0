package launch

import (
	"fmt"
	"path"
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

// shellFile follows sh FILE.
func (f *follower) shellFile(words, rest []word, name string, kind shellKind) []word {
	if f.dir == "" && !strings.HasPrefix(rest[0].Text, "/") {
		return f.settle(words, facts.Unknown, "the script's directory is not known")
	}
	file := resolve(f.dir, rest[0].Text)
	text, err := f.read(file)
	if err != nil {
		return f.settle(words, facts.Unknown, fmt.Sprintf("the script %s cannot be read: %v", file, err))
	}
	s := &shell{f: f, name: name, kind: kind, label: file, zero: rest[0], params: rest[1:], words: words, file: file, fromCmd: rest[0].at.Field == finding.FieldCmd}
	f.trail(where(words), "%s runs %s", name, file)
	return s.run(text)
}

// pipStart begins the launchers that pip writes when the interpreter's path is
// too long for a #! line: sh executes python, which reads the same file.
const pipStart = "#!/bin/sh\n'''exec' "

// scriptFile follows a script of the image that is executed itself.
func (f *follower) scriptFile(words []word, p facts.Program) []word {
	if p.CRLF || p.Executable == facts.No || p.InterpreterFound == facts.No {
		return f.settleAs(words, p, facts.Yes, "")
	}
	text, err := f.read(p.Path)
	if err != nil {
		return f.settleAs(words, p, facts.Unknown, "an entrypoint script decides: "+p.Path)
	}
	if strings.HasPrefix(text, pipStart) {
		return f.settleAs(words, p, facts.Yes, "")
	}
	name := path.Base(interpreterName(p, f))
	s := &shell{
		f: f, name: path.Base(p.Path), kind: f.shellKind(name), label: p.Path, file: p.Path,
		zero: known(p.Path), params: words[1:], words: words, fromCmd: words[0].at.Field == finding.FieldCmd,
	}
	f.trail(where(words), "%s runs", p.Path)
	return s.run(text)
}

// isProgram tells scripts that are programs in their own right from the
// scripts of an image's author, which decide what runs.
func isProgram(p facts.Program) bool {
	base := path.Base(p.Path)
	if strings.Contains(base, "entrypoint") || strings.Contains(base, "start.sh") || strings.Contains(base, "run.sh") {
		return false
	}
	switch path.Dir(p.Path) {
	case "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/etc/init.d":
		return true
	}
	return scriptPrograms[base]
}

// looksLikeScript judges by the name, for files that were not examined.
func looksLikeScript(name string) bool {
	base := path.Base(name)
	return !scriptPrograms[base] && (strings.Contains(base, "entrypoint") || strings.HasSuffix(base, ".sh"))
}

// scriptPrograms are programs that are installed as shell scripts elsewhere.
var scriptPrograms = map[string]bool{
	"apachectl": true, "apache2ctl": true, "apache2-foreground": true, "httpd-foreground": true,
	"catalina.sh": true, "startup.sh": true, "jetty.sh": true, "standalone.sh": true, "domain.sh": true,
	"zkServer.sh": true, "kafka-server-start.sh": true, "zookeeper-server-start.sh": true, "rabbitmq-server": true,
	"mysqld_safe": true, "mariadbd-safe": true, "elasticsearch": true, "opensearch": true, "cassandra": true,
	"activemq": true, "ejabberdctl": true, "xvfb-run": true, "websockify": true, "novnc_proxy": true,
}

type shellOptions struct {
	script, login, stdin bool
	rest                 []word
	unknown              string
}

func parseShellOptions(words []word) shellOptions {
	var o shellOptions
	rest := words[1:]
	for len(rest) > 0 && len(rest[0].Text) > 1 && strings.ContainsAny(rest[0].Text[:1], "-+") {
		text := rest[0].Text
		if !rest[0].Known {
			o.unknown = text
			return o
		}
		rest = rest[1:]
		if text == "--" {
			break
		}
		if strings.HasPrefix(text, "--") {
			o.login = o.login || text == "--login"
			if text == "--rcfile" || text == "--init-file" {
				rest = rest[min(1, len(rest)):]
			}
			continue
		}
		o.script = o.script || text[0] == '-' && strings.Contains(text, "c")
		o.login = o.login || strings.Contains(text, "l")
		o.stdin = o.stdin || strings.Contains(text, "s")
		taken := strings.Count(text, "o") + strings.Count(text, "O")
		rest = rest[min(taken, len(rest)):]
	}
	o.rest = rest
	return o
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
	s.sent = len(s.f.launch.Before)
	s.funcs = map[string]*syntax.Stmt{}
	s.start, s.params0 = s.f.remember(), s.params
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
		if words, ok := s.interpret(-1); ok {
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
	s.stayInFront(end)
	if end.certain != facts.Yes {
		f.settle(end.words, end.certain, end.why)
		return nil
	}
	return end.words
}

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

// readsArguments reports whether a script mentions its positional parameters.
func readsArguments(node syntax.Node) bool {
	found := false
	syntax.Walk(node, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.ParamExp); ok && p.Param != nil {
			name := p.Param.Value
			found = found || name == "@" || name == "*" || name == "#" || name != "0" && strings.Trim(name, "0123456789") == ""
		}
		if c, ok := n.(*syntax.CallExpr); ok && len(c.Args) > 0 {
			switch c.Args[0].Lit() {
			case "shift", "getopts", "source", ".", "eval":
				found = true
			}
		}
		return !found
	})
	return found
}
