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

// mostAlike is how many processes with the same command have a mark each.
const mostAlike = 3

// folded makes one mark of a command that is started again and again, as by a
// script that waits.
func folded(marks []Mark) []Mark {
	command := func(m Mark) string {
		if m.What != string(facts.EventProcess) {
			return ""
		}
		_, after, _ := strings.Cut(strings.TrimPrefix(m.Text, "pid "), " ")
		return after
	}
	times, last := map[string]int{}, map[string]float64{}
	for _, m := range marks {
		times[command(m)]++
		last[command(m)] = m.At
	}
	told := map[string]bool{"": true}
	var kept []Mark
	for _, m := range marks {
		c := command(m)
		if c != "" && times[c] > mostAlike {
			if told[c] {
				continue
			}
			m.Text += fmt.Sprintf(", and %d times more until %.1fs", times[c]-1, last[c])
		}
		told[c] = true
		kept = append(kept, m)
	}
	return kept
}
