package servers

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// supervisordFiles is where supervisord looks without -c.
var supervisordFiles = []string{"../etc/supervisord.conf", "supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"}

// supervisord adds what its programs listen on.
func supervisord(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	file, text, err := run.confFile(&conf{Flags: []string{"-c", "--configuration"}, Files: supervisordFiles})
	if err != nil || file == "" {
		run.unknown("the programs of supervisord are not known: %v", err)
		return
	}
	run.p.Complete = true
	run.supervisorSections(file, iniSections(text), 0)
}

// supervisorSections adds what the sections of one file make supervisord open.
func (run *invocation) supervisorSections(file string, sections []iniSection, depth int) {
	for _, s := range sections {
		kind, name, _ := strings.Cut(s.name, ":")
		switch kind {
		case "include":
			run.supervisorIncludes(file, s, depth)
		case "inet_http_server":
			run.add(s.values["port"], addressGrammar{EmptyHost: "0.0.0.0", Star: "0.0.0.0"}, fmt.Sprintf("%s:%d", file, s.line))
		case "unix_http_server":
			if s.values["file"] == "" {
				continue
			}
			run.addOnce(facts.Listen{Network: "unix", Path: s.values["file"], HostFrom: fmt.Sprintf("%s:%d", file, s.line)})
		case "program", "fcgi-program":
			run.supervised(name, s)
			if kind == "fcgi-program" {
				run.unknown("supervisord opens the socket of %s", name)
			}
		}
	}
}

// supervisorIncludes reads the files of an [include] section, which stand
// beside the file that names them and include no further ones.
func (run *invocation) supervisorIncludes(file string, s iniSection, depth int) {
	for _, pattern := range strings.Fields(strings.ReplaceAll(s.values["files"], "%(here)s", path.Dir(file))) {
		if !path.IsAbs(pattern) {
			pattern = path.Join(path.Dir(file), pattern)
		}
		names, err := run.glob(pattern)
		if err != nil || depth > 0 {
			run.unknown("%s includes %s, which was not listed: %v", file, pattern, err)
			continue
		}
		for _, name := range names {
			text, err := run.read(name)
			if err != nil {
				run.unknown("%s was not read: %v", name, err)
				continue
			}
			run.supervisorSections(name, iniSections(text), depth+1)
		}
	}
}

// supervised predicts one program. Its command is no shell script.
func (run *invocation) supervised(name string, s iniSection) {
	if autostart := strings.ToLower(s.values["autostart"]); autostart == "false" || autostart == "no" || autostart == "0" || autostart == "off" {
		return
	}
	words, ok := shlex(run.supervisorVariables(s.values["command"]))
	env, known := run.supervisorEnv(s.values["environment"])
	if len(words) == 0 || !ok || !known {
		run.unknown("what supervisord's program %s listens on is not known", name)
		return
	}
	sub := *run
	if dir := s.values["directory"]; dir != "" {
		sub.command.Dir = run.supervisorVariables(dir)
	}
	if user := s.values["user"]; user != "" {
		sub.command.User = run.supervisorVariables(user)
	}
	p := sub.predictShell(words, env)
	if p.Ends != "" && p.Complete { // it does its work and ends
		return
	}
	if p.Server == "" || !p.Complete || p.Daemonizes != facts.No {
		run.unknown("what supervisord's program %s listens on is not known", name)
	}
	if p.Daemonizes == facts.No {
		run.p.Listens = append(run.p.Listens, p.Listens...)
	}
}

// predictShell predicts words, through sh -c "exec PROGRAM …" where nothing
// stands in it that a shell would change.
func (run *invocation) predictShell(words, env []string) facts.Prediction {
	if n := len(words); n == 3 && words[1] == "-c" && (path.Base(words[0]) == "sh" || path.Base(words[0]) == "bash") {
		if inner, ok := shlex(words[2]); ok && len(inner) > 0 && !strings.ContainsAny(words[2], "$&|;<>()`*?[]{}~") {
			words = inner
			if inner[0] == "exec" {
				words = inner[1:]
			}
		}
	}
	return run.predictWords(words, env)
}

// supervisorEnv adds environment=KEY="value",KEY2=value to the environment.
func (run *invocation) supervisorEnv(text string) (env []string, ok bool) {
	env = run.command.Env
	if text == "" {
		return env, true
	}
	env = slices.Clone(env)
	pairs := supervisorPair.FindAllStringSubmatch(text, -1)
	for _, m := range pairs {
		env = append(env, m[1]+"="+run.supervisorVariables(strings.Trim(m[2], `"'`)))
	}
	return env, strings.Count(supervisorPair.ReplaceAllString(text, ""), "=") == 0
}

var (
	supervisorVariable = regexp.MustCompile(`%\(ENV_(\w+)\)s`)
	supervisorPair     = regexp.MustCompile(`(\w+)\s*=\s*("[^"]*"|'[^']*'|[^,"']*),?`)
)

func (run *invocation) supervisorVariables(text string) string {
	text = supervisorVariable.ReplaceAllStringFunc(text, func(v string) string {
		return run.env[supervisorVariable.FindStringSubmatch(v)[1]]
	})
	return strings.NewReplacer("%(process_num)d", "0", "%(process_num)02d", "00", "%%", "%").Replace(text)
}

// shlex splits a text as Python's shlex does: at blanks, with quotes and
// backslashes; ok is false when a quote is not closed.
func shlex(text string) (words []string, ok bool) {
	var b strings.Builder
	started := false
	quote := byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
			started = true
		case quote != 0:
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote, started = c, true
		case c == ' ' || c == '\t':
			if started {
				words = append(words, b.String())
			}
			b.Reset()
			started = false
		default:
			b.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, b.String())
	}
	return words, quote == 0
}

type iniSection struct {
	name   string
	line   int
	values map[string]string
}

// iniSections reads an ini file the way supervisord does: comments start with
// ; after a blank, and indented lines continue a value.
func iniSections(text string) []iniSection {
	var all []iniSection
	key := ""
	for i, line := range strings.Split(text, "\n") {
		if at := strings.Index(line, " ;"); at >= 0 {
			line = line[:at]
		}
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == ';' || trimmed[0] == '#':
		case trimmed[0] == '[':
			all = append(all, iniSection{name: strings.Trim(trimmed, "[]"), line: i + 1, values: map[string]string{}})
		case len(all) == 0:
		case line[0] == ' ' || line[0] == '\t':
			all[len(all)-1].values[key] += " " + trimmed
		default:
			name, value, _ := strings.Cut(trimmed, "=")
			key = strings.TrimSpace(name)
			all[len(all)-1].values[key] = strings.TrimSpace(value)
		}
	}
	return all
}
