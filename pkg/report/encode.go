package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
)

// encode writes v as JSON, with an indent or in one line. What could give
// orders to a terminal that the document is printed on stays escaped, as the
// encoder leaves what is beyond ASCII.
func encode(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeUnsafe(text.Bytes()))
	return err
}

// escapeUnsafe escapes runes that stand in the strings of a document: its own
// signs are ASCII.
func escapeUnsafe(document []byte) []byte {
	beyond := func(r rune) bool { return r >= 0x7f && unsafe(r) }
	if bytes.IndexFunc(document, beyond) < 0 {
		return document
	}
	var out bytes.Buffer
	for _, r := range string(document) {
		if !beyond(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.Bytes()
}
