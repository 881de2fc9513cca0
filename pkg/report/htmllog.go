package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// How much of a log is shown: its beginning, its end, and no endless line.
const (
	logFirst = 300
	logLast  = 500
	logWidth = 1000
)

// logView is the container's log.
type logView struct {
	Lines   []logLine
	Dropped string // what is left out, "" when nothing is
}

type logLine struct {
	At       string
	Text     string
	Stream   string
	Decisive bool
	Gap      string // what is left out in front of this line
	t        facts.Millis
}

// telling are words with which programs say how their start went; used only
// when no finding quotes the log.
var telling = regexp.MustCompile(`(?i)\b(traceback|fatal|critical|panic|exception|error|listening (on|at)|running on|worker timeout|permission denied|no such file|not found|refused|killed)\b`)

// logOf marks the lines that decided: those that findings quote, else those
// that tell how the start went.
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
		out.Decisive = decides(line.Text, quotes)
		v.Lines = append(v.Lines, out)
	}
	if run.Log.Dropped > 0 {
		v.Dropped = fmt.Sprintf("%d bytes between the first and the last lines were not kept", run.Log.Dropped)
	}
	return v
}

func decides(text string, quotes []string) bool {
	if len(quotes) == 0 {
		return telling.MatchString(clip(text, logWidth))
	}
	for _, quote := range quotes {
		if strings.HasPrefix(strings.TrimSpace(text), strings.TrimSpace(quote)) {
			return true
		}
	}
	return false
}
