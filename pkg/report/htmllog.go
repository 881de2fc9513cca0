package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// How much of a log is shown: its beginning, its end, and no endless line.
const (
	logFirst = 300
	logLast  = 500
	logWidth = 1000
	// logWindow is how many lines are shown without a window to scroll in.
	logWindow = 60
)

// logView is the container's log.
type logView struct {
	Lines   []logLine
	Long    bool   // it is scrolled in a window of its own
	First   int    // the number of the first decisive line; 0: none
	Dropped string // what is left out, "" when nothing is
}

type logLine struct {
	Number   int
	At       string
	Text     string
	Stream   string
	Decisive bool
	Gap      string // what is left out in front of this line
	t        facts.Millis
}

// telling are words with which programs say how their start went.
var telling = regexp.MustCompile(`(?i)\b(traceback|fatal|critical|panic|\w*exception|\w*error|failed|listening (on|at)|running on|worker timeout|permission denied|no such file|not found|refused|killed)\b`)

// logOf marks the lines that decided: of those that findings quote, or of all
// when they quote none, the ones that tell how the start went.
func logOf(run *facts.Run, findings []finding.Finding) logView {
	var quotes []string
	for _, f := range findings {
		for _, e := range f.Evidence {
			if quote := strings.TrimSuffix(e.Text, "…"); e.Kind == "log" && strings.TrimSpace(quote) != "" {
				quotes = append(quotes, quote)
			}
		}
	}
	lines := run.Log.Lines
	var v logView
	for i, line := range lines {
		if i >= logFirst && i < len(lines)-logLast {
			continue
		}
		out := logLine{At: fmt.Sprintf("%.2f", line.T.Seconds()), Text: clip(clean(line.Text), logWidth), Stream: "out", t: line.T}
		if line.Stream == "stderr" {
			out.Stream = "err"
		}
		if left := len(lines) - logLast - logFirst; left > 0 && i == len(lines)-logLast {
			out.Gap = fmt.Sprintf("%d lines are left out", left)
		}
		out.Number = i + 1
		out.Decisive = quoted(line.Text, quotes) && telling.MatchString(clip(line.Text, logWidth))
		if out.Decisive && v.First == 0 {
			v.First = out.Number
		}
		v.Lines = append(v.Lines, out)
	}
	v.Long = len(v.Lines) > logWindow
	if run.Log.Dropped > 0 {
		v.Dropped = fmt.Sprintf("%d bytes between the first and the last lines were not kept", run.Log.Dropped)
	}
	return v
}

// quoted reports whether a finding quotes a line; all are, when none quotes any.
func quoted(text string, quotes []string) bool {
	return len(quotes) == 0 || slices.ContainsFunc(quotes, func(quote string) bool {
		return strings.HasPrefix(strings.TrimSpace(text), strings.TrimSpace(quote))
	})
}
