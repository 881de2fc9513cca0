package lint

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unit is what the beginning of a text can mean.
type unit struct {
	means string
	width int // bytes of the text
}

// longestEntity bounds an HTML entity; &quot; and &#x27; are six long.
const longestEntity = 10

// deepest bounds the escapes of a percent sign, in bytes.
const deepest = 10

// mostBackslashes stand before a byte that was escaped four times.
const mostBackslashes = 16

// units are the meanings of a text's beginning: the byte itself, and what it
// escapes in JSON, in a string of Go, Python, C or a shell, in an address or in
// HTML, escaped several times too.
func units(text string) []unit {
	if text == "" {
		return nil
	}
	all := []unit{{text[:1], 1}}
	switch text[0] {
	case '\\':
		all = append(all, backslashed(text)...)
	case '%':
		all = append(all, percented(text)...)
	case '+':
		all = append(all, unit{" ", 1})
	case '\'':
		for _, quote := range []string{`'\''`, `'"'"'`} {
			if strings.HasPrefix(text, quote) {
				all = append(all, unit{"'", len(quote)})
			}
		}
	case '&':
		if end := strings.IndexByte(text[:min(len(text), longestEntity)], ';'); end > 0 {
			all = append(all, unit{html.UnescapeString(text[:end+1]), end + 1})
		}
	}
	return all
}

// percented are the meanings of %XX, with the sign escaped too, as often as
// it may be.
func percented(text string) (all []unit) {
	for at := 1; ; at += len("25") {
		if c, ok := number(text[at:], 2, 16); ok {
			all = append(all, unit{string([]byte{byte(c)}), at + 2})
			if c == '+' {
				all = append(all, unit{" ", at + 2})
			}
		}
		if !strings.HasPrefix(text[at:], "25") || at > deepest {
			return all
		}
	}
}

// unpercent undoes percent-encoding as far as there is any.
func unpercent(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); {
		if c, ok := number(text[i+1:], 2, 16); text[i] == '%' && ok {
			out.WriteByte(byte(c))
			i += 3
			continue
		}
		out.WriteByte(text[i])
		i++
	}
	return out.String()
}

// backslashed are the meanings of backslashes and what follows them.
func backslashed(text string) []unit {
	run := 0
	for run < min(len(text), mostBackslashes) && text[run] == '\\' {
		run++
	}
	rest := text[run:]
	var all []unit
	for n := 2; n <= run; n *= 2 { // one, escaped once or more often
		all = append(all, unit{`\`, n})
	}
	if rest == "" {
		return all
	}
	if means, ok := map[byte]string{'n': "\n", 'r': "\r", 't': "\t", '0': "\x00"}[rest[0]]; ok {
		all = append(all, unit{means, run + 1})
	}
	if rest[0] < utf8.RuneSelf && !letter(rest[0]) {
		all = append(all, unit{rest[:1], run + 1})
	}
	if c, ok := number(rest, 3, 8); ok && c < 256 {
		all = append(all, unit{string([]byte{byte(c)}), run + 3})
	}
	switch digits := rest[1:]; rest[0] {
	case 'x':
		if c, ok := number(digits, 2, 16); ok {
			all = append(all, unit{string([]byte{byte(c)}), run + 3})
		}
	case 'u':
		all = append(all, utf16ed(text, run)...)
	case 'U':
		if c, ok := number(digits, 8, 16); ok {
			all = append(all, unit{string(rune(c)), run + 9})
		}
	}
	return all
}

// utf16ed is the meaning of \uXXXX, or of two of them for a rune beyond 16 bits.
func utf16ed(text string, run int) []unit {
	c, ok := number(text[run+1:], 4, 16)
	if !ok {
		return nil
	}
	width := run + 5
	if utf16.IsSurrogate(rune(c)) {
		second := text[width:]
		if !strings.HasPrefix(second, text[:run]+"u") {
			return nil
		}
		low, ok := number(second[run+1:], 4, 16)
		if !ok {
			return nil
		}
		return []unit{{string(utf16.DecodeRune(rune(c), rune(low))), 2 * width}}
	}
	return []unit{{string(rune(c)), width}}
}

func letter(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// number reads as many digits as are wanted.
func number(text string, digits, base int) (uint64, bool) {
	if len(text) < digits || strings.ContainsAny(text[:digits], "_+-xX") {
		return 0, false
	}
	n, err := strconv.ParseUint(text[:digits], base, 32)
	return n, err == nil
}
