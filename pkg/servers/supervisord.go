package servers

import (
	"fmt"
	"regexp"
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
	for _, s := range iniSections(text) {
		kind, name, _ := strings.Cut(s.name, ":")
		switch kind {
		case "include":
			run.unknown("%s includes other files", file)
		case "inet_http_server":
			run.add(s.values["port"], addressGrammar{EmptyHost: "0.0.0.0", Star: "0.0.0.0"}, fmt.Sprintf("%s:%d", file, s.line))
		case "program":
			run.supervised(name, s)
		}
	}
}

// supervised predicts one program. Its command is no shell script.
func (run *invocation) supervised(name string, s iniSection) {
	if s.values["autostart"] == "false" {
		return
	}
	words := strings.Fields(run.supervisorVariables(s.values["command"]))
	if len(words) == 0 || strings.ContainsAny(s.values["command"], `"'`) && !plainQuotes(s.values["command"]) || s.values["environment"] != "" {
		run.unknown("what supervisord's program %s listens on is not known", name)
		return
	}
	words = splitQuoted(run.supervisorVariables(s.values["command"]))
	sub := *run
	if dir := s.values["directory"]; dir != "" {
		sub.command.Dir = dir
	}
	p := sub.predictWords(words, run.command.Env)
	if p.Server == "" || !p.Complete || p.Daemonizes != facts.No {
		run.unknown("what supervisord's program %s listens on is not known", name)
	}
	if p.Daemonizes == facts.No {
		run.p.Listens = append(run.p.Listens, p.Listens...)
	}
}

var supervisorVariable = regexp.MustCompile(`%\(ENV_(\w+)\)s`)

func (run *invocation) supervisorVariables(text string) string {
	return supervisorVariable.ReplaceAllStringFunc(text, func(v string) string {
		return run.env[supervisorVariable.FindStringSubmatch(v)[1]]
	})
}

// plainQuotes: no quote stands inside another.
func plainQuotes(text string) bool {
	return strings.Count(text, `"`)%2 == 0 && !strings.Contains(text, "'")
}

// splitQuoted splits at blanks outside double quotes.
func splitQuoted(text string) []string {
	var words []string
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
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
