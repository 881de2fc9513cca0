package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// chartWidth is how many columns the time of a run takes.
const chartWidth = 40

// chart is a run as one line that says where on its time the marks with a
// letter are. The first of two in one column is shown.
func chart(run *facts.Run) string {
	line := []rune(strings.Repeat("·", chartWidth))
	for _, m := range boot(run) {
		at := column(m.At, run.Took.Seconds())
		if letter := m.letter(); letter != ' ' && line[at] == '·' {
			line[at] = letter
		}
	}
	return fmt.Sprintf("0s [%s] %.1fs", string(line), run.Took.Seconds())
}

// letter stands for a mark in the chart: something began to listen (L) or
// stopped to (C), was asked and answered (A) or did not (?), was killed for
// memory (M), ended (X). The others have none.
func (m Mark) letter() rune {
	switch facts.EventKind(m.What) {
	case facts.EventListening:
		return 'L'
	case facts.EventClosed:
		return 'C'
	case facts.EventAnswer:
		if m.mute {
			return '?'
		}
		return 'A'
	case facts.EventOOM:
		return 'M'
	case markExit, facts.EventMainExit:
		return 'X'
	}
	return ' '
}

// column is where on the line a time is.
func column(at, took float64) int {
	if took <= 0 {
		return 0
	}
	return int(max(0, min(chartWidth-1, at*chartWidth/took)))
}

// What a mark of a run is besides an event.
const (
	markExit = "exit"
	markLog  = "log" // a line of the log
)

// longestMark bounds a line of the log among the marks, in bytes.
const longestMark = 200

// boot is the timeline with the lines of the log that tell most: the first one,
// the last one before something answered, and the last one.
func boot(run *facts.Run) []Mark {
	marks := timeline(run)
	lines := slices.DeleteFunc(slices.Clone(run.Log.Lines), func(l facts.LogLine) bool { return strings.TrimSpace(l.Text) == "" })
	slices.SortStableFunc(lines, func(a, b facts.LogLine) int { return cmp.Compare(a.T, b.T) })
	if len(lines) == 0 {
		return marks
	}
	kept := []int{0}
	if at := slices.IndexFunc(marks, func(m Mark) bool { return m.letter() == 'A' }); at >= 0 {
		later := slices.IndexFunc(lines, func(l facts.LogLine) bool { return l.T.Seconds() > marks[at].At })
		if later < 0 {
			later = len(lines)
		}
		kept = append(kept, max(0, later-1))
	}
	kept = append(kept, len(lines)-1)
	for _, n := range slices.Compact(kept) {
		text := strings.TrimSpace(lines[n].Text)
		if len(text) > longestMark {
			text = strings.ToValidUTF8(text[:longestMark], "") + "…"
		}
		marks = append(marks, Mark{At: lines[n].T.Seconds(), What: markLog, Text: text})
	}
	slices.SortStableFunc(marks, func(a, b Mark) int { return cmp.Compare(a.At, b.At) })
	return marks
}
