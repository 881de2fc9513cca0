package report

import (
	"fmt"
	"strings"

	"github.com/docker/go-units"

	"github.com/imglint/imglint/pkg/facts"
)

// trail prints how the command was followed and where every predicted address
// comes from.
func (t *textWriter) trail(f *facts.Facts, cost *facts.Cost) {
	t.line("")
	if cost != nil && cost.Requests+cost.Bytes > 0 {
		t.detail("read", costText(*cost, f.Image.Source))
	}
	t.launched(f.Launch)
	t.expected(f.Prediction)
	if f.Target.Endpoint.ChosenBy != "" {
		t.detail("port", fmt.Sprintf("%d: %s", f.Target.Endpoint.Port, f.Target.Endpoint.ChosenBy))
	}
	for _, assumed := range f.Target.Assumed {
		t.detail("assume", assumed)
	}
	if f.Run == nil {
		return
	}
	if way := wayText(f.Run); way != "" {
		t.detail("seen", way)
	}
	t.detail("boot", chart(f.Run)) // its letters stand before the marks below
	for _, mark := range folded(boot(f.Run)) {
		text := mark.Text
		if mark.What == markLog {
			text = "log: " + text
		}
		t.line("  %s %5.1fs %c %s", t.style.paint(dim, "run   "), mark.At, mark.letter(), clean(text))
	}
}

// costText says what reading the image took.
func costText(c facts.Cost, source string) string {
	bytes := units.BytesSize(float64(c.Bytes))
	if c.Requests == 0 {
		return bytes + " of the " + orElse(source, "image")
	}
	return fmt.Sprintf("%s and %s from the %s", counted(int(c.Requests), "request"), bytes, orElse(source, "image's source"))
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (t *textWriter) detail(label, text string) {
	t.line("  %s %s", t.style.paint(dim, fmt.Sprintf("%-6s", label)), clean(text))
}

// isolated is the address of a run on a network without a way out.
const isolated = "198.18.0.2"

// wayText says how a run was watched, "" when that was not noted.
func wayText(r *facts.Run) string {
	switch r.Way {
	case facts.WayCell:
		if r.Address != isolated {
			return "from inside, from the first instant, on the network that was named"
		}
		return "from inside, from the first instant, on a network without a way out"
	case facts.WayAlone:
		return "from inside, from the first instant, on a network of the engine"
	case facts.WaySidecar:
		return "from a container that joined it after its start"
	case facts.WayLogs:
		return "by its log and its end only"
	case facts.WayLocal:
		return "from inside, from the first instant, without an engine"
	}
	return ""
}

// launched prints the steps from ENTRYPOINT and CMD to the command, what runs
// before and beside it, and which other ways there are.
func (t *textWriter) launched(l facts.Launch) {
	for _, step := range l.Trail {
		t.detail("runs", strings.TrimPrefix(step.Where+": "+step.Did, ": "))
	}
	for _, line := range spelled(l.Before) {
		t.detail("first", line)
	}
	for _, line := range spelled(l.Background) {
		t.detail("beside", line)
	}
	if len(l.Command.Argv) > 0 {
		t.detail("runs", strings.Join(l.Command.Words(), " "))
	}
	for _, why := range []string{l.Ends, l.Limit} {
		if why != "" {
			t.detail("ends", why)
		}
	}
	if l.Known != facts.Yes && l.Why != "" {
		t.detail("unsure", l.Why)
	}
	for _, a := range l.Alternatives {
		what := strings.Join(a.Argv, " ")
		if what == "" {
			what = "nothing: the container ends"
		}
		t.detail("or", fmt.Sprintf("%s  if %s", what, a.Because))
	}
}

// spelled is what is known of commands, one line each.
func spelled(commands []facts.Command) []string {
	var lines []string
	for _, c := range commands {
		line, _, more := strings.Cut(strings.Join(c.Words(), " "), "\n")
		if more {
			line += " …"
		}
		lines = append(lines, line)
	}
	return lines
}

// expected prints the predicted sockets, and where each value comes from.
func (t *textWriter) expected(p facts.Prediction) {
	switch {
	case p.Ends != "":
		t.detail("ends", p.Ends)
	case p.Interactive != "":
		t.detail("ends", p.Interactive+" has no terminal")
	case p.Daemonizes == facts.Yes:
		t.detail("ends", versioned(fmt.Sprintf("%s goes to the background: %s", p.Title, p.DaemonWhy), p))
	case p.Daemonizes == facts.No && p.DaemonWhy != "":
		t.detail("stays", versioned(fmt.Sprintf("%s stays in the foreground: %s", p.Title, p.DaemonWhy), p))
	}
	if p.Hint != "" {
		t.detail("hint", "it may go to the background: "+p.Hint)
	}
	label := "expect"
	if !p.Complete {
		label = "maybe"
	}
	for _, l := range p.Listens {
		t.detail(label, versioned(predicted(l), p))
	}
	if p.Why != "" {
		t.detail("unsure", p.Why)
	}
}

// versioned names the version that a default belongs to.
func versioned(text string, p facts.Prediction) string {
	if p.Version == "" {
		return text
	}
	return strings.ReplaceAll(text, p.Title+"'s default", p.Title+" "+p.Version+"'s default")
}

func predicted(l facts.Listen) string {
	if l.Network == "unix" {
		return fmt.Sprintf("unix:%s from %s", l.Path, l.HostFrom)
	}
	at := fmt.Sprintf("%s %s port %d", l.Network, l.Host, l.Port)
	if l.Port == 0 {
		at = fmt.Sprintf("%s %s, a port that the kernel chooses", l.Network, l.Host)
	}
	if l.Protocol != "" {
		at += " (" + l.Protocol + ")"
	}
	switch {
	case l.PortFrom == "" || l.PortFrom == l.HostFrom:
		return at + " from " + l.HostFrom
	case l.HostFrom == "":
		return at + ", port from " + l.PortFrom
	}
	return fmt.Sprintf("%s, host from %s, port from %s", at, l.HostFrom, l.PortFrom)
}
