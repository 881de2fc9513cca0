package probe

import (
	"bytes"

	"github.com/imglint/imglint/pkg/facts"
)

const (
	// endlessHeaders is what curl (300 KB) and most proxies (8 to 64 KB) refuse.
	endlessHeaders = "HTTP headers without an end"
	// headEnd is the length of what ends the headers, less one byte.
	headEnd = 3
)

// goesOn looks for the end of the headers in what has come.
func (a *ask) goesOn(data []byte) {
	a.open = append(bytes.Clone(a.open), data...)
	if headEnds(a.open) {
		a.open = nil
		return
	}
	a.open = a.open[max(0, len(a.open)-headEnd):]
}

func headEnds(data []byte) bool {
	return bytes.Contains(data, []byte("\r\n\r\n")) || bytes.Contains(data, []byte("\n\n"))
}

// unended is for headers whose end did not come; more: the server goes on.
func (a *ask) unended(more bool) {
	if more && a.open != nil {
		a.answer = facts.Answer{Class: facts.ClassOther, Protocol: endlessHeaders, First: escape(a.in)}
	}
}
