package dockerfile

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Origin is an entry of an image's history that set a field.
type Origin struct {
	Field finding.Field
	Step  int    // index in the history
	Text  string // in the Dockerfile's syntax
}

// FromHistory tells which history entries decided the image's fields, oldest
// first, for an image without a Dockerfile. A field that the history does not
// name, or that the config does not have, is left out.
func FromHistory(img facts.Image) []Origin {
	last := map[finding.Field]int{}
	var all []Origin
	for i, h := range img.History {
		e := readEntry(h)
		field, ok := fieldOf[e.verb]
		if !ok || !has(img.Config, field) {
			continue
		}
		last[field] = i
		all = append(all, Origin{Field: field, Step: i, Text: e.normal(img.Config)})
	}
	kept := all[:0]
	for _, o := range all {
		// EXPOSE and ENV add up, everything else is set by the last one.
		if o.Field == finding.FieldExpose || o.Field == finding.FieldEnv || last[o.Field] == o.Step {
			kept = append(kept, o)
		}
	}
	return kept
}

// has reports whether the config says anything about a field.
func has(c facts.Config, f finding.Field) bool {
	switch f {
	case finding.FieldEntrypoint:
		return len(c.Entrypoint) > 0
	case finding.FieldCmd:
		return len(c.Cmd) > 0
	case finding.FieldExpose:
		return len(c.Exposed) > 0
	case finding.FieldEnv:
		return len(c.Env) > 0
	case finding.FieldUser:
		return c.User != ""
	case finding.FieldWorkdir:
		return c.WorkingDir != ""
	case finding.FieldHealthcheck:
		return c.Healthcheck != nil
	case finding.FieldStopSignal:
		return c.StopSignal != ""
	}
	return true
}

// entry is one history entry taken apart.
type entry struct {
	verb    string // of a Dockerfile, upper case; "" when there is none
	payload string
	// classic: written by the classic builder, or by buildah in its manner.
	classic bool
}

var verbs = map[string]bool{
	"ADD": true, "ARG": true, "CMD": true, "COPY": true, "ENTRYPOINT": true, "ENV": true, "EXPOSE": true,
	"HEALTHCHECK": true, "LABEL": true, "MAINTAINER": true, "ONBUILD": true, "RUN": true, "SHELL": true,
	"STOPSIGNAL": true, "USER": true, "VOLUME": true, "WORKDIR": true,
}

// readEntry understands the classic builder ("/bin/sh -c #(nop)  CMD …",
// with the SHELL of the day in front, and the bare command of a RUN) and
// BuildKit ("CMD …", "RUN … # buildkit").
func readEntry(h facts.History) entry {
	text := strings.TrimSpace(h.CreatedBy)
	if text == "" {
		return entry{}
	}
	e := entry{}
	if _, rest, ok := strings.Cut(text, "#(nop)"); ok {
		e.classic, text = true, strings.TrimSpace(rest)
	}
	text = strings.TrimSpace(strings.TrimSuffix(text, "# buildkit"))
	verb, payload, _ := strings.Cut(text, " ")
	// Not in lower case: RUN ["env", "x"] leaves "env x" in the classic history.
	if verbs[verb] {
		e.verb, e.payload = verb, strings.TrimSpace(payload)
		return e
	}
	if e.classic {
		return e
	}
	return entry{verb: "RUN", payload: text, classic: true}
}

// normal is the entry in the Dockerfile's syntax. Where the history is
// ambiguous the config, which the entry led to, is taken instead.
func (e entry) normal(c facts.Config) string {
	switch e.verb {
	case "CMD", "ENTRYPOINT":
		if words, ok := quotedList(e.payload); ok {
			return e.verb + " " + jsonList(words)
		}
	case "EXPOSE":
		return "EXPOSE " + strings.Join(exposeWords(e.payload), " ")
	case "HEALTHCHECK":
		return healthcheckText(c.Healthcheck)
	case "ENV":
		return envText(e.payload, c)
	}
	return e.verb + " " + e.payload
}

// quotedList reads what Go prints for %q of a []string, ["a" "b"], and JSON's
// ["a","b"].
func quotedList(text string) ([]string, bool) {
	inner, ok := strings.CutPrefix(text, "[")
	if inner, ok = cutSuffixIf(ok, inner, "]"); !ok {
		return nil, false
	}
	words := []string{}
	for {
		inner = strings.TrimLeft(inner, ", ")
		if inner == "" {
			return words, true
		}
		quoted, err := strconv.QuotedPrefix(inner)
		if err != nil {
			return nil, false
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, false
		}
		words, inner = append(words, word), inner[len(quoted):]
	}
}

func cutSuffixIf(ok bool, text, suffix string) (string, bool) {
	if !ok {
		return text, false
	}
	return strings.CutSuffix(text, suffix)
}

// jsonList writes an exec form as people do: ["a", "b"].
func jsonList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = jsonWord(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func jsonWord(word string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // && has to stay readable
	if err := encoder.Encode(word); err != nil {
		return strconv.Quote(word)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// exposeWords reads "8000 9000/udp 70-72", "[8000/tcp 70/tcp]" and
// "map[70/tcp:{} 8000/tcp:{}]" and drops the /tcp that goes without saying.
func exposeWords(payload string) []string {
	payload = strings.Trim(strings.TrimPrefix(payload, "map"), "[]")
	words := strings.Fields(payload)
	for i, w := range words {
		w = strings.TrimSuffix(w, ":{}")
		words[i] = strings.TrimSuffix(w, "/tcp")
	}
	return words
}

var plainValue = regexp.MustCompile(`^[^\s"'\\$]*$`)

// envText quotes values: the history writes KEY=a b without.
func envText(payload string, c facts.Config) string {
	key, value, ok := strings.Cut(payload, "=")
	if !ok || plainValue.MatchString(value) {
		return "ENV " + payload
	}
	if now, set := c.Lookup(key); set && now == value {
		return "ENV " + key + "=" + strconv.Quote(value)
	}
	return "ENV " + payload
}

// healthcheckText rebuilds the instruction from the config: the three
// builders' histories print a Go struct in three different ways.
func healthcheckText(h *facts.Healthcheck) string {
	text := "HEALTHCHECK"
	for _, o := range []struct {
		name  string
		value facts.Millis
	}{{"interval", h.Interval}, {"timeout", h.Timeout}, {"start-period", h.StartPeriod}} {
		if o.value != 0 {
			text += " --" + o.name + "=" + duration(o.value.Duration())
		}
	}
	if h.Retries != 0 {
		text += " --retries=" + strconv.Itoa(h.Retries)
	}
	if len(h.Test) == 0 {
		return text
	}
	switch h.Test[0] {
	case "NONE":
		return text + " NONE"
	case "CMD-SHELL":
		return text + " CMD " + strings.Join(h.Test[1:], " ")
	}
	return text + " CMD " + jsonList(h.Test[1:])
}

// duration prints 1m0s as 1m.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
