package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// timelineView is the boot as a picture. X values are percentages of its
// width, so that it needs no script to fit a phone; Y values are pixels.
type timelineView struct {
	ID       string
	Summary  string // the picture in words
	Height   int
	Bottom   int // of the lanes
	Lanes    []lane
	Ticks    []tick
	Window   string // where the window ends, "" when outside of the picture
	WindowAt string // how long it is
	Answered string // where the first good answer is
	Marks    []Mark
	Left     int // marks left out of the table
}

// lane is a row of the picture.
type lane struct {
	Label, Class string
	LabelY, Y    int
	Bars         []bar
	Dots         []dot
}

type bar struct{ X, Width, Class string }

type dot struct {
	X, Class string
	R        int
}

type tick struct{ X, Label, Anchor string }

// The picture's measures in pixels and its bounds.
const (
	laneHeight   = 44
	laneTop      = 8
	axisHeight   = 28
	maxListeners = 6
	maxDots      = 80
	maxTable     = 200
)

// scale turns times into percentages.
type scale struct{ span float64 }

func (s scale) at(t facts.Millis) string {
	return fmt.Sprintf("%.2f", min(100, max(0, 100*float64(t)/s.span)))
}

// timelineOf draws a run.
func timelineOf(id string, f *facts.Facts, log logView) *timelineView {
	run := f.Run
	end := runEnd(run)
	window := facts.ToMillis(f.Target.BootWindow)
	v := &timelineView{ID: id, Marks: timeline(run), WindowAt: seconds(f.Target.BootWindow)}
	s := scale{span: float64(end) * 1.05}
	if window > 0 && float64(window) <= 1.5*float64(end) {
		s.span = 1.05 * float64(max(end, window))
		v.Window = s.at(window)
	}
	if e, ok := run.Passed(f.Target.Endpoint.Port, f.Target.Probe); ok {
		v.Answered = s.at(e.T)
	}
	v.add(processLane(s, run, end))
	for _, l := range listenerLanes(s, run, end) {
		v.add(l)
	}
	for _, l := range answerLanes(s, f) {
		v.add(l)
	}
	if len(log.Lines) > 0 {
		v.add(logLane(s, log))
	}
	v.Bottom = laneTop + len(v.Lanes)*laneHeight
	v.Height = v.Bottom + axisHeight
	v.Ticks = ticks(s)
	v.Summary = summaryOf(v)
	v.Left = max(0, len(v.Marks)-maxTable)
	v.Marks = v.Marks[:len(v.Marks)-v.Left]
	for i := range v.Marks {
		v.Marks[i].Text = clip(clean(v.Marks[i].Text), logWidth)
	}
	return v
}

// runEnd is when the last thing happened; never 0.
func runEnd(run *facts.Run) facts.Millis {
	end := max(run.Took, 1)
	for _, e := range run.Events {
		end = max(end, e.T)
	}
	if run.Exit != nil {
		end = max(end, run.Exit.T)
	}
	return end
}

func (v *timelineView) add(l lane) {
	l.LabelY = laneTop + len(v.Lanes)*laneHeight + 14
	l.Y = l.LabelY + 14
	v.Lanes = append(v.Lanes, l)
}

func summaryOf(v *timelineView) string {
	var parts []string
	for _, l := range v.Lanes {
		parts = append(parts, l.Label)
	}
	if v.WindowAt != "" {
		parts = append(parts, "the boot window is "+v.WindowAt)
	}
	return strings.Join(parts, ". ") + "."
}

// processLane is the life of the first process.
func processLane(s scale, run *facts.Run, end facts.Millis) lane {
	name := program(run.Argv)
	if name == "" {
		name = "the program"
	}
	l := lane{Class: "process", Label: name + " runs"}
	until := end
	if run.Exit != nil {
		until = run.Exit.T
		l.Label = clip(fmt.Sprintf("%s %s at %.2fs", name, clean(exitText(run.Exit)), until.Seconds()), 80)
		l.Dots = []dot{{X: s.at(until), Class: "fail", R: 6}}
	}
	l.Bars = []bar{{X: s.at(0), Width: s.at(until), Class: "process"}}
	return l
}

// listenerLanes has a lane for each address that was listened on.
func listenerLanes(s scale, run *facts.Run, end facts.Millis) []lane {
	var lanes []lane
	var addresses []string
	for _, l := range run.Listeners() {
		address := l.Address()
		i := slices.Index(addresses, address)
		if i < 0 {
			if len(lanes) == maxListeners {
				continue
			}
			i = len(lanes)
			addresses = append(addresses, address)
			label := fmt.Sprintf("listens on %s%s", clip(clean(address), 50), scopeNote(l.Socket))
			lanes = append(lanes, lane{Class: "listener", Label: label})
		}
		until := end
		if l.Closed != 0 {
			until = l.Closed
		}
		class := "open"
		if l.Scope() == facts.ScopeLoopback || l.Network == "unix" {
			class = "loopback"
		}
		lanes[i].Bars = append(lanes[i].Bars, bar{X: s.at(l.Opened), Width: s.at(until - l.Opened), Class: class})
	}
	return lanes
}

func scopeNote(s facts.Socket) string {
	switch s.Scope() {
	case facts.ScopeLoopback:
		return ", loopback only"
	case facts.ScopeAny6:
		return ", IPv6 only"
	}
	return ""
}

// answerLanes has a lane for each address that was asked at the endpoint.
func answerLanes(s scale, f *facts.Facts) []lane {
	var lanes []lane
	at := map[string]int{}
	for _, e := range f.Run.Answers(f.Target.Endpoint.Port) {
		address := fmt.Sprintf("%s:%d", e.Answer.To, e.Answer.Port)
		i, ok := at[address]
		if !ok {
			if len(lanes) == maxListeners {
				continue
			}
			i = len(lanes)
			at[address] = i
			lanes = append(lanes, lane{Class: "answer"})
		}
		l := &lanes[i]
		from, class := "outside", outcomeClass(f.Target.Probe, e.Answer)
		if e.Answer.Loopback() && !f.Target.LoopbackReached {
			from, class = "inside", "inside"
		}
		l.Label = fmt.Sprintf("from %s, %s: %s", from, address, outcome(e.Answer))
		if len(l.Dots) < maxDots {
			l.Dots = append(l.Dots, dot{X: s.at(e.T), Class: class, R: 5})
		}
	}
	return lanes
}

// logLane has a tick for each line, those at the same place only once.
func logLane(s scale, log logView) lane {
	l := lane{Class: "log", Label: "log lines"}
	seen := map[string]bool{}
	for _, line := range log.Lines {
		d := dot{X: s.at(line.t), Class: "line", R: 2}
		if line.Decisive {
			d.Class, d.R = "decisive", 4
		}
		if key := d.X + d.Class; !seen[key] && len(l.Dots) < 4*maxDots {
			seen[key] = true
			l.Dots = append(l.Dots, d)
		}
	}
	return l
}

// ticks are about five round times.
func ticks(s scale) []tick {
	step := time.Millisecond
	for i := 0; float64(step.Milliseconds()) < s.span/5; i++ {
		step = time.Duration(float64(step) * []float64{2, 2.5, 2}[i%3])
	}
	var all []tick
	for t := time.Duration(0); float64(t.Milliseconds()) <= 0.97*s.span && len(all) < 8; t += step {
		k := tick{X: s.at(facts.ToMillis(t)), Label: fmt.Sprintf("%gs", t.Seconds()), Anchor: "middle"}
		if t == 0 {
			k.Label, k.Anchor = "0", "start"
		}
		all = append(all, k)
	}
	return all
}
