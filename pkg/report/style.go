package report

import "github.com/imglint/imglint/pkg/finding"

// Style is how text is printed; the zero value is plain and short.
type Style struct {
	Colour  bool // set words off with colours, for a terminal
	Verbose bool // add how the command was followed and where addresses come from
	Width   int  // of the terminal that sentences have to fit; 0: there is none
}

// The escape sequences used (ECMA-48 SGR).
const (
	reset  = "\x1b[0m"
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[1;31m"
	green  = "\x1b[1;32m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[36m"
)

func (s Style) paint(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return code + text + reset
}

func (s Style) severity(level finding.Severity, text string) string {
	switch level {
	case finding.Error:
		return s.paint(red, text)
	case finding.Warning:
		return s.paint(yellow, text)
	}
	return s.paint(cyan, text)
}
