package report

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// chartWidth is how many columns the time of a run takes; chartMarks bounds
// how many moments are spelled out.
const chartWidth, chartMarks = 40, 6

// chart is a run as one line: where on its time something began to listen
// (L), stopped to (C), first answered (A), was killed for memory (M) and
// ended (X), and when that was. The first of two marks in one column is shown.
func chart(run *facts.Run) string {
	line := []rune(strings.Repeat("·", chartWidth))
	var moments []string
	left := 0
	mark := func(letter rune, t facts.Millis, what string) {
		if at := column(t, run.Took); line[at] == '·' {
			line[at] = letter
		}
		if len(moments) == chartMarks {
			left++
			return
		}
		moments = append(moments, fmt.Sprintf("%c %.1fs %s", letter, t.Seconds(), what))
	}
	answered := map[string]bool{}
	for _, e := range run.Events {
		switch e.Kind {
		case facts.EventListening:
			mark('L', e.T, e.Socket.Address())
		case facts.EventClosed:
			mark('C', e.T, e.Socket.Address())
		case facts.EventOOM:
			mark('M', e.T, "out of memory")
		case facts.EventAnswer:
			if text := answerText(e.Answer); !answered[text] {
				answered[text] = true
				mark('A', e.T, text)
			}
		}
	}
	if x := run.Exit; x != nil {
		mark('X', x.T, exitText(x))
	}
	if left > 0 {
		moments = append(moments, fmt.Sprintf("and %d more", left))
	}
	return fmt.Sprintf("0s [%s] %.1fs  %s", string(line), run.Took.Seconds(), strings.Join(moments, ", "))
}

// column is where on the line a time is.
func column(t, took facts.Millis) int {
	if took <= 0 {
		return 0
	}
	return int(max(0, min(int64(chartWidth-1), int64(t)*chartWidth/int64(took))))
}
