package launch

import (
	"fmt"
	"slices"
	"strings"
)

// parse splits a wrapper's words into its options and the command. rest is
// nil when a subcommand is missing; why is set when the words make no sense.
func (w wrapper) parse(words []word) (rest []word, options []option, why string) {
	p := optionParser{wrapper: w, words: words[1:]}
	if why = p.options(); why != "" {
		return nil, nil, why
	}
	if len(w.Subcommand) > 0 {
		if len(p.words) == 0 || !slices.Contains(w.Subcommand, p.words[0].Text) {
			return nil, nil, ""
		}
		p.words, p.ended = p.words[1:], false
		if why = p.options(); why != "" {
			return nil, nil, why
		}
	}
	if w.Interactive && len(w.Script) > 0 && !has(w.Script, p.found) {
		return nil, nil, w.Name + " without a command starts a shell"
	}
	if w.Separator {
		i := slices.IndexFunc(p.words, func(x word) bool { return x.Text == "--" })
		if i < 0 && !p.ended {
			return nil, nil, w.Name + " needs -- before its command"
		}
		return slices.Clip(p.words[i+1:]), p.found, ""
	}
	if len(p.words) < w.Skip {
		return nil, nil, w.Name + " is given no command"
	}
	p.words = p.words[w.Skip:]
	if w.Skip > 0 && len(w.Script) > 0 { // flock FILE -c SCRIPT
		if why = p.options(); why != "" {
			return nil, nil, why
		}
	}
	return slices.Clip(append([]word{}, p.words...)), p.found, ""
}

// parseAll takes options from between the arguments as well: rest are the
// arguments behind the subcommand, nil when that is missing.
func (w wrapper) parseAll(words []word) (rest []word, options []option, why string) {
	p := optionParser{wrapper: w, words: words[1:]}
	rest = []word{}
	for {
		if why = p.options(); why != "" {
			return nil, nil, why
		}
		if len(p.words) == 0 {
			break
		}
		rest, p.words = append(rest, p.words[0]), p.words[1:]
	}
	if len(w.Subcommand) > 0 {
		if len(rest) == 0 || !slices.Contains(w.Subcommand, rest[0].Text) {
			return nil, nil, ""
		}
		rest = rest[1:]
	}
	return rest, p.found, ""
}

type optionParser struct {
	wrapper wrapper
	words   []word
	found   []option
	ended   bool // -- was seen
}

// options takes the options off the front of the words.
func (p *optionParser) options() string {
	for len(p.words) > 0 && !p.ended {
		text := p.words[0].Text
		if !strings.HasPrefix(text, "-") || p.wrapper.Separator && text == "--" {
			return ""
		}
		if !p.words[0].Known {
			return fmt.Sprintf("only a run can tell what %s means to %s", text, p.wrapper.Name)
		}
		p.words = p.words[1:]
		switch {
		case text == "--":
			p.ended = true
		case slices.Contains(p.wrapper.Flags, text):
			p.found = append(p.found, option{name: text})
		case slices.Contains(p.wrapper.Values, text) || slices.Contains(p.wrapper.Script, text):
			p.take(text)
		case !p.joined(text):
			return fmt.Sprintf("%s has an option that imglint does not know: %s", p.wrapper.Name, text)
		}
	}
	return ""
}

// take reads an option's value from the next word.
func (p *optionParser) take(name string) {
	o := option{name: name}
	if len(p.words) > 0 {
		o.value, p.words = &p.words[0], p.words[1:]
	}
	p.found = append(p.found, o)
}

// joined reads --name=value, -xvalue, clusters and numbers.
func (p *optionParser) joined(text string) bool {
	w := p.wrapper
	if name, value, ok := strings.Cut(text, "="); ok && (strings.HasPrefix(text, "--") || w.GoFlags) {
		joined := known(value)
		p.found = append(p.found, option{name: name, value: &joined})
		return true
	}
	if strings.HasPrefix(text, "--") {
		if w.LongValues {
			p.take(text)
		}
		return w.LongValues || w.Separator
	}
	if w.Numeric && strings.Trim(text, "-0123456789") == "" {
		return true
	}
	return p.cluster(text[1:]) || w.Separator
}

// cluster reads -abc, where the last letter may take a value.
func (p *optionParser) cluster(letters string) bool {
	for i := range len(letters) {
		name := "-" + letters[i:i+1]
		switch {
		case slices.Contains(p.wrapper.Flags, name):
			p.found = append(p.found, option{name: name})
		case (slices.Contains(p.wrapper.Values, name) || slices.Contains(p.wrapper.Script, name)) && i+1 < len(letters):
			joined := known(letters[i+1:])
			p.found = append(p.found, option{name: name, value: &joined})
			return true
		case slices.Contains(p.wrapper.Values, name) || slices.Contains(p.wrapper.Script, name):
			p.take(name)
			return true
		default:
			return false
		}
	}
	return true
}
