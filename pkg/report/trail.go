package report

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// trail prints how the command was followed and where every predicted address
// comes from.
func (t *textWriter) trail(f *facts.Facts) {
	t.line("")
	for _, step := range f.Launch.Trail {
		t.detail("runs", step.Where+": "+step.Did)
	}
	if len(f.Launch.Command.Argv) > 0 {
		t.detail("runs", strings.Join(f.Launch.Command.Words(), " "))
	}
	if f.Launch.Known != facts.Yes && f.Launch.Why != "" {
		t.detail("unsure", f.Launch.Why)
	}
	for _, l := range f.Prediction.Listens {
		t.detail("expect", predicted(l))
	}
	if f.Prediction.Why != "" {
		t.detail("unsure", f.Prediction.Why)
	}
	if f.Target.Endpoint.ChosenBy != "" {
		t.detail("port", fmt.Sprintf("%d: %s", f.Target.Endpoint.Port, f.Target.Endpoint.ChosenBy))
	}
	for _, assumed := range f.Target.Assumed {
		t.detail("assume", assumed)
	}
	if f.Run == nil {
		return
	}
	if way := wayText(f.Run.Way); way != "" {
		t.detail("seen", way)
	}
	t.detail("boot", chart(f.Run))
	for _, mark := range timeline(f.Run) {
		t.line("  %s %5.1fs  %s", t.style.paint(dim, "run   "), mark.At, clean(mark.Text))
	}
}

func (t *textWriter) detail(label, text string) {
	t.line("  %s %s", t.style.paint(dim, fmt.Sprintf("%-6s", label)), clean(text))
}

// wayText says how a run was watched, "" when that was not noted.
func wayText(w facts.Way) string {
	switch w {
	case facts.WayCell:
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

func predicted(l facts.Listen) string {
	at := "unix:" + l.Path
	if l.Network != "unix" {
		at = fmt.Sprintf("%s %s port %d", l.Network, l.Host, l.Port)
	}
	from := l.HostFrom
	if l.PortFrom != "" && l.PortFrom != from {
		from += ", " + l.PortFrom
	}
	if l.Protocol != "" {
		at += " (" + l.Protocol + ")"
	}
	return at + " from " + from
}
