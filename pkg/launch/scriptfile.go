package launch

import (
	"fmt"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

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
