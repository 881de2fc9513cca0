package lint

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// redactor replaces values by the names of their variables, however they are
// escaped, in base64 and in hex, also where they begin at an odd byte of it.
type redactor struct {
	forms  []form
	starts [256][]int // of forms, by the first byte
}

// form is a value in one of its encodings.
type form struct {
	text  string
	label string
	// part: a piece of it that is at least so long is hidden too where a text
	// was cut off; 0: none is.
	part int
}

// shortestEncoded: what a shorter value becomes in base64 or hex is also found
// elsewhere.
const shortestEncoded = 6

// add hides a value. What is surely a secret is hidden also where it was cut.
func (r *redactor) add(value, label string, secret bool) {
	r.form(value, label, secret)
	if lines := strings.FieldsFunc(value, func(c rune) bool { return c == '\n' || c == '\r' }); len(lines) > 1 {
		for _, line := range lines { // of a log
			if len(strings.TrimSpace(line)) >= shortestValue {
				r.form(strings.TrimSpace(line), label, secret)
			}
		}
	}
	if len(value) < shortestEncoded {
		return
	}
	for before := range 3 { // bytes of the same group of three
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString([]byte(strings.Repeat("x", before) + value))
			text = text[(before*8+5)/6:]
			if (before+len(value))%3 != 0 {
				text = text[:len(text)-1] // its last one tells of what follows too
			}
			r.form(text, label, secret)
		}
	}
	r.form(hex.EncodeToString([]byte(value)), label, secret)
	r.form(strings.ToUpper(hex.EncodeToString([]byte(value))), label, secret)
}

func (r *redactor) form(text, label string, secret bool) {
	f := form{text: text, label: label}
	if _, rest, ok := strings.Cut(text, "://"); secret && len(text) > shortestValue {
		f.part = shortestValue
		if ok { // what it begins with is no secret
			f.part += len(text) - len(rest)
		}
	}
	r.starts[text[0]] = append(r.starts[text[0]], len(r.forms))
	r.forms = append(r.forms, f)
}

// escapers are the bytes that can begin another byte's escape.
const escapers = "\\%&'+"

// Replace returns the text with the names of variables for their values: the
// longest where several begin.
func (r *redactor) Replace(text string) string {
	if len(r.forms) == 0 {
		return text
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(text); {
		end, label := r.at(text, i)
		if end == 0 {
			i++
			continue
		}
		out.WriteString(text[done:i])
		out.WriteString(label)
		i, done = end, end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// at returns where the longest value ends that begins at i, 0 when none does.
func (r *redactor) at(text string, i int) (end int, label string) {
	try := func(u unit) {
		for _, n := range r.starts[u.means[0]] {
			if e := r.forms[n].match(text, i, u); e > end {
				end, label = e, r.forms[n].label
			}
		}
	}
	if strings.IndexByte(escapers, text[i]) < 0 {
		try(unit{text[i : i+1], 1})
		return end, label
	}
	for _, u := range units(text[i:]) {
		try(u)
	}
	return end, label
}

// match returns where the value ends that begins at i in the text with a unit,
// or where the text was cut off within it; 0 when it is not there.
func (f form) match(text string, i int, first unit) int {
	type state struct{ at, matched int } // in the text, of the value
	if !strings.HasPrefix(f.text, first.means) {
		return 0
	}
	states, part := []state{{i + first.width, len(first.means)}}, 0
	for n := 0; n < len(states); n++ { // it grows
		s := states[n]
		if s.matched == len(f.text) {
			return s.at
		}
		if f.part > 0 && s.matched >= f.part && cut(text[s.at:]) {
			part = max(part, s.at)
		}
		for _, u := range units(text[s.at:]) {
			next := state{s.at + u.width, s.matched + len(u.means)}
			if strings.HasPrefix(f.text[s.matched:], u.means) && !slices.Contains(states[n:], next) {
				states = append(states, next)
			}
		}
	}
	return part
}

// cut reports whether a text ended before this rest of it, which is what was
// put around or behind it.
func cut(rest string) bool {
	return rest == "" || rest[0] == '"' || strings.HasPrefix(rest, "…") || strings.HasPrefix(rest, "...")
}
