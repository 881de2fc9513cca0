package rules

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// This file holds what several rules ask of the facts. A rule's own file uses
// nothing of another rule's file.

// passed reports whether the platform's probe was answered as it demands and
// the first process lived on.
func passed(p *rule.Pass) bool {
	if p.Run == nil || p.Run.Stopped != facts.StopAnswered {
		return false
	}
	_, ok := p.Run.Passed(p.Target.Endpoint.Port, p.Target.Probe)
	return ok
}

// ran reports whether the program was executed and is worth judging by what it did.
func ran(p *rule.Pass) bool {
	if p.Run == nil {
		return false
	}
	_, ok := p.Run.Executed()
	return ok
}

// certain reports whether the launch is followed to its end without a guess.
func certain(p *rule.Pass) bool { return p.Launch.Known == facts.Yes }

// predictable reports whether every socket the program will open is known.
func predictable(p *rule.Pass) bool {
	return certain(p) && p.Prediction.Complete && len(p.Prediction.Listens) > 0
}

// tcp returns the TCP listeners that were open to the end; of a container
// that ended, all it ever had.
func tcp(p *rule.Pass) []facts.Listener {
	listeners := p.Run.Open()
	if p.Run.Exit != nil {
		listeners = p.Run.Listeners()
	}
	return slices.DeleteFunc(listeners, func(l facts.Listener) bool { return l.Network != "tcp" })
}

// on returns the listeners on one port.
func on(listeners []facts.Listener, port int) []facts.Listener {
	var found []facts.Listener
	for _, l := range listeners {
		if l.Port == port {
			found = append(found, l)
		}
	}
	return found
}

// public returns the listeners that something outside the container can reach.
func public(listeners []facts.Listener) []facts.Listener {
	var found []facts.Listener
	for _, l := range listeners {
		if s := l.Scope(); s == facts.ScopeAny || s == facts.ScopeAddress {
			found = append(found, l)
		}
	}
	return found
}

// answering orders listeners so that one that answered HTTP from outside
// comes first, and returns that one.
func answering(p *rule.Pass, listeners []facts.Listener) (facts.Listener, bool) {
	for _, l := range listeners {
		for _, e := range p.Run.Answers(l.Port) {
			if e.Answer.Class == facts.ClassHTTP {
				return l, true
			}
		}
	}
	if len(listeners) > 0 {
		return listeners[0], true
	}
	return facts.Listener{}, false
}

// exposed reports whether the image exposes a TCP port.
func exposed(p *rule.Pass, port int) bool {
	return slices.Contains(p.Image.Config.Exposed, facts.Port{Number: port, Protocol: "tcp"})
}

// exposedTCP returns the exposed TCP ports in the image's order.
func exposedTCP(p *rule.Pass) []int {
	var ports []int
	for _, port := range p.Image.Config.Exposed {
		if port.Protocol == "tcp" {
			ports = append(ports, port.Number)
		}
	}
	return ports
}

// program is the name a person knows the server by.
func program(p *rule.Pass) string {
	if p.Prediction.Title != "" {
		return p.Prediction.Title
	}
	if name := p.Launch.Command.Name(); name != "" {
		return path.Base(name)
	}
	if len(p.Launch.Argv) > 0 {
		return path.Base(p.Launch.Argv[0])
	}
	return "the program"
}

// owner is the name of a listener's process, as seen; else the program's.
func owner(p *rule.Pass, l facts.Listener) string {
	if name := processName(l.Argv); name != "" {
		return name
	}
	return program(p)
}

// interpreters run somebody else's program: their first plain argument names it.
var interpreters = []string{"python", "python2", "python3", "node", "nodejs", "ruby", "perl", "php", "sh", "bash", "dash", "busybox"}

// processName makes a short name of a command line: "python3 /srv/app.py" is
// "app.py", "/usr/bin/python3 /usr/bin/gunicorn app" is "gunicorn".
func processName(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	first := strings.Fields(argv[0])
	if len(first) == 0 {
		return ""
	}
	name := path.Base(strings.TrimSuffix(first[0], ":"))
	base := strings.TrimRight(name, "0123456789.")
	if !slices.Contains(interpreters, name) && !slices.Contains(interpreters, base) {
		return name
	}
	for i, arg := range argv[1:] {
		switch {
		case arg == "-m" && i+2 < len(argv):
			return name + " -m " + argv[i+2]
		case arg == "-c" || arg == "-e":
			return name
		case !strings.HasPrefix(arg, "-"):
			return path.Base(arg)
		}
	}
	return name
}

// spelled is a command with its program's plain name; a compound one is a
// shell's text.
func spelled(c facts.Command) string {
	words := c.Words()
	if len(words) > 0 && !strings.ContainsAny(words[0], " \n") {
		words[0] = path.Base(words[0])
	}
	return strings.Join(words, " ")
}

// atStart places a finding at a command that runs first, or else at the
// instruction whose script does: the command that finally runs has its own line
// there.
func atStart(p *rule.Pass, c facts.Command) finding.Place {
	switch {
	case c.Spot != nil:
		return spotted(c.Spot)
	case p.Launch.Spot != nil:
		return first(p)
	}
	return where(p)
}

// spotted is the place of a spot; of several lines it marks the first.
func spotted(s *facts.Spot) finding.Place {
	return finding.Place{Path: s.Path, Line: s.Line, Words: s.Text[s.Column-1 : s.EndColumn-1]}
}

// where places a finding at the instruction that holds the final command.
func where(p *rule.Pass) finding.Place {
	field := p.Launch.Command.Origin.Field
	if field == finding.FieldNone {
		field = finding.FieldCmd
		if len(p.Image.Config.Cmd) == 0 {
			field = finding.FieldEntrypoint
		}
	}
	return finding.Place{Field: field, Words: p.Launch.Command.Name(), Command: true}
}

// fileLine takes FILE:LINE apart, as collectors write where a value comes from.
func fileLine(from string) (file string, line int, ok bool) {
	colon := strings.LastIndexByte(from, ':')
	if colon < 0 || !path.IsAbs(from) {
		return "", 0, false
	}
	line, err := strconv.Atoi(from[colon+1:])
	return from[:colon], line, err == nil && line > 0
}

// first places a finding at the instruction that holds the first word executed.
func first(p *rule.Pass) finding.Place {
	field := finding.FieldCmd
	if len(p.Image.Config.Entrypoint) > 0 {
		field = finding.FieldEntrypoint
	}
	return finding.Place{Field: field, Words: p.Launch.Argv[0]}
}

// commandLine prints argv so that it can be pasted, at most 200 bytes of it.
func commandLine(argv []string) string {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = shellQuote(arg)
	}
	return clip(strings.Join(quoted, " "), 200)
}

func shellQuote(arg string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@,+%", r)
	}
	if arg != "" && !strings.ContainsFunc(arg, func(r rune) bool { return !plain(r) }) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// seconds prints a time as people say it: "0.9s", "35s".
func seconds(m facts.Millis) string {
	if m < 10_000 {
		return fmt.Sprintf("%.1fs", m.Seconds())
	}
	return fmt.Sprintf("%.0fs", m.Seconds())
}

// predictedTCP returns the predicted TCP listeners.
func predictedTCP(p *rule.Pass) []facts.Listen {
	var found []facts.Listen
	for _, l := range p.Prediction.Listens {
		if l.Network == "tcp" {
			found = append(found, l)
		}
	}
	return found
}

// platformName is how the platform is called in a sentence.
func platformName(p *rule.Pass) string {
	if p.Target.Title != "" {
		return p.Target.Title
	}
	return p.Target.Platform
}

// lastOutside returns the last answer of a port to a request from outside loopback.
func lastOutside(p *rule.Pass, port int) (*facts.Answer, bool) {
	for _, e := range slices.Backward(p.Run.Answers(port)) {
		if !e.Answer.Loopback() {
			return e.Answer, true
		}
	}
	return nil, false
}
