package servers

import (
	"strings"
)

type kind int

const (
	takesNothing kind = iota + 1
	takesValue
	takesMaybe
)

// optionTable lists every option that the catalogue knows of a server.
func (s *server) optionTable() map[string]kind {
	table := optionTable{}
	table.add(s.Options.Values, takesValue)
	table.add(s.Options.Flags, takesNothing)
	for _, d := range s.Decide {
		k := takesNothing
		if d.Value != "" {
			k = takesValue
		}
		for _, n := range d.Flags {
			if _, ok := table[n]; !ok {
				table[n] = k
			}
		}
		if d.Conf != nil {
			table.add(d.Conf.Flags, takesValue)
		}
	}
	for _, set := range []*setting{s.Host, s.Port, s.Unix} {
		table.setting(set)
	}
	if s.Bind != nil {
		table.setting(&s.Bind.setting)
	}
	for _, m := range s.More {
		table.setting(m.Host)
		table.setting(m.Port)
		if m.Bind != nil {
			table.setting(&m.Bind.setting)
		}
	}
	table.add(s.Options.Optional, takesMaybe)
	return table
}

type optionTable map[string]kind

func (t optionTable) add(names []string, k kind) {
	for _, n := range names {
		t[n] = k
	}
}

func (t optionTable) setting(set *setting) {
	if set == nil {
		return
	}
	t.add(set.Flags, takesValue)
	if set.Conf != nil {
		t.add(set.Conf.Flags, takesValue)
	}
	if set.Development != nil {
		t.add(set.Development.Flags, takesValue)
	}
}

// reader reads words one by one.
type reader struct {
	run     *invocation
	known   map[string]kind
	grammar grammar
	ended   bool
}

// word reads the word at i and returns the last word it used.
func (r *reader) word(i int) int {
	text := r.run.word(i)
	switch {
	case r.ended || len(text) < 2 || text[0] != '-':
		r.run.args = append(r.run.args, i)
		r.ended = r.ended || r.grammar.Stop
	case text == "--":
		r.ended = true
	case strings.HasPrefix(text, "--") || r.grammar.Style == "go" || r.grammar.Style == "words":
		return r.long(i, text)
	default:
		return r.short(i, text)
	}
	return i
}

func (r *reader) long(i int, text string) int {
	name, value, joined := strings.Cut(text, "=")
	name = r.expand(name)
	if joined && r.grammar.Style != "words" {
		if r.known[name] == 0 {
			r.run.strange = name
		}
		r.add(option{name: name, value: value, index: i, at: i, from: len(text) - len(value)})
		return i
	}
	return r.value(i, name)
}

// value reads the value of an option from the next word.
func (r *reader) value(i int, name string) int {
	more := i+1 < len(r.run.command.Argv)
	switch k := r.known[name]; {
	case k == takesValue && more, k == takesMaybe && more && !strings.HasPrefix(r.run.word(i+1), "-"):
		r.add(option{name: name, value: r.run.word(i + 1), index: i, at: i + 1})
		return i + 1
	case k == 0:
		r.run.strange = name
	}
	r.add(option{name: name, index: i, at: -1})
	return i
}

// short reads -x, -xVALUE, -x=VALUE (argparse) and clusters.
func (r *reader) short(i int, text string) int {
	if _, ok := r.known[text]; ok || len(text) == 2 {
		return r.value(i, text)
	}
	for at := 1; at < len(text); at++ {
		name := "-" + text[at:at+1]
		switch r.known[name] {
		case takesValue, takesMaybe:
			if at+1 == len(text) {
				return r.value(i, name)
			}
			from := at + 1
			if text[from] == '=' && r.grammar.Abbrev { // argparse
				from++
			}
			r.add(option{name: name, value: text[from:], index: i, at: i, from: from})
			return i
		case takesNothing:
			r.add(option{name: name, index: i, at: -1})
		default:
			if at == 1 {
				name = text // -Xmx1g, -version: not a cluster
			}
			r.add(option{name: name, index: i, at: -1})
			r.run.strange = name
			return i
		}
	}
	return i
}

func (r *reader) add(o option) { r.run.options = append(r.run.options, o) }

// expand completes the unique prefix of a long option.
func (r *reader) expand(name string) string {
	if _, ok := r.known[name]; ok || !r.grammar.Abbrev {
		return name
	}
	found := ""
	for full := range r.known {
		if strings.HasPrefix(full, name) && strings.HasPrefix(full, "--") {
			if found != "" {
				return name
			}
			found = full
		}
	}
	if found != "" {
		return found
	}
	return name
}
