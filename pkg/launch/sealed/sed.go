package sealed

import (
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/interp"
)

// substitution is one s command of sed.
type substitution struct {
	pattern *regexp.Regexp
	with    []string // literal text, "&" and "\1" by turns
	global  bool
}

// sed does s commands, in place or from one end to the other; other commands
// only a run can tell.
func (m *machine) sed(hc interp.HandlerContext, args []string) (string, int, bool) {
	s, ok := parseSed(args)
	if !ok {
		return "", 0, false
	}
	if !s.inPlace {
		text, ok := m.input(hc, s.files)
		return s.apply(text), 0, ok
	}
	for _, name := range s.files {
		file := absolute(hc.Dir, name)
		text, err := m.files.text(file)
		if err != nil || tainted(name) || m.lost && !strings.HasPrefix(name, "/") {
			return "", 0, false
		}
		m.files.write(file, s.apply(text))
	}
	return "", 0, len(s.files) > 0
}

type sedCommand struct {
	inPlace bool
	does    []substitution
	files   []string
}

// parseSed reads the words of sed; ok is false for what it does not know.
func parseSed(args []string) (s sedCommand, ok bool) {
	var scripts, plain []string
	extended := false
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-e" || a == "--expression":
			if i++; i == len(args) {
				return s, false
			}
			scripts = append(scripts, args[i])
		case a == "-i" || a == "--in-place" || a == "-ie" && len(scripts) == 0:
			s.inPlace = true
			if a == "-ie" { // leaves a copy behind: FILEe
				return s, false
			}
		case a == "-E" || a == "-r" || a == "--regexp-extended":
			extended = true
		case a == "-iE" || a == "-ri" || a == "-Ei" || len(a) > 1 && a[0] == '-':
			return s, false
		default:
			plain = append(plain, a)
		}
	}
	if len(scripts) == 0 {
		if len(plain) == 0 {
			return s, false
		}
		scripts, plain = plain[:1], plain[1:]
	}
	s.files = plain
	for _, script := range scripts {
		all, ok := substitutions(script, extended)
		if !ok {
			return s, false
		}
		s.does = append(s.does, all...)
	}
	return s, true
}

// substitutions reads s/a/b/g; s|c|d|.
func substitutions(script string, extended bool) (all []substitution, ok bool) {
	for script = strings.TrimLeft(script, " \t\n;"); script != ""; script = strings.TrimLeft(script, " \t\n;") {
		if len(script) < 4 || script[0] != 's' {
			return nil, false
		}
		parts, rest, ok := sedParts(script[2:], script[1])
		if !ok {
			return nil, false
		}
		one, rest, ok := newSubstitution(parts, rest, extended)
		if !ok {
			return nil, false
		}
		all, script = append(all, one), rest
	}
	return all, len(all) > 0
}

// sedParts cuts pattern and replacement at the delimiter.
func sedParts(text string, delimiter byte) (parts [2]string, rest string, ok bool) {
	var b strings.Builder
	at := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			if i++; text[i] != delimiter || at == 0 && strings.IndexByte(`.*[]^$`, delimiter) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		case c == delimiter:
			parts[at] = b.String()
			b.Reset()
			if at++; at == 2 {
				return parts, text[i+1:], true
			}
		default:
			b.WriteByte(c)
		}
	}
	return parts, "", false
}

func newSubstitution(parts [2]string, rest string, extended bool) (s substitution, after string, ok bool) {
	for rest != "" && rest[0] != ';' && rest[0] != '\n' && rest[0] != ' ' {
		if rest[0] != 'g' {
			return s, "", false
		}
		s.global, rest = true, rest[1:]
	}
	if tainted(parts[0]) {
		return s, "", false
	}
	expr, ok := goPattern(parts[0], extended)
	if !ok {
		return s, "", false
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return s, "", false
	}
	s.pattern = re
	s.with, ok = replacement(parts[1])
	return s, rest, ok
}

// goPattern spells a POSIX pattern in Go's way; in a basic one, braces and
// brackets of groups are plain without a backslash.
func goPattern(text string, extended bool) (string, bool) {
	var b strings.Builder
	b.WriteString("(?m)") // a line at a time
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '[':
			end := strings.IndexByte(text[min(i+2, len(text)):], ']')
			if end < 0 || strings.Contains(text[i:i+2+end], `\`) {
				return "", false
			}
			b.WriteString(text[i : i+3+end])
			i += 2 + end
		case c == '\\' && i+1 < len(text):
			i++
			if !extended && strings.IndexByte("(){}|+?", text[i]) >= 0 {
				b.WriteByte(text[i])
			} else if strings.IndexByte("ntswSWbB", text[i]) >= 0 {
				b.WriteString(`\` + text[i:i+1])
			} else if text[i] >= '1' && text[i] <= '9' {
				return "", false // refers to a group
			} else {
				b.WriteString(regexp.QuoteMeta(text[i : i+1]))
			}
		case !extended && strings.IndexByte("(){}|+?", c) >= 0:
			b.WriteString(`\` + string(c))
		case !extended && (c == '$' && i < len(text)-1 || c == '^' && i > 0 || c == '*' && i == 0):
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// replacement splits a replacement into literal text and references.
func replacement(text string) ([]string, bool) {
	var b strings.Builder
	var all []string
	refer := func(to string) { all = append(all, b.String(), to); b.Reset() }
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '&':
			refer("0")
		case c == '\\' && i+1 < len(text):
			switch i++; {
			case text[i] >= '0' && text[i] <= '9':
				refer(text[i : i+1])
			case text[i] == 'n':
				b.WriteByte('\n')
			case strings.IndexByte("LUElue", text[i]) >= 0:
				return nil, false
			default:
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return append(all, b.String()), true
}

func (s sedCommand) apply(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
		for _, one := range s.does {
			line = one.apply(line)
		}
		out.WriteString(line + end)
	}
	return out.String()
}

func (s substitution) apply(line string) string {
	n := 1
	if s.global {
		n = -1
	}
	var b strings.Builder
	last := 0
	for _, at := range s.pattern.FindAllStringSubmatchIndex(line, n) {
		b.WriteString(line[last:at[0]])
		for i, part := range s.with {
			if i%2 == 0 {
				b.WriteString(part)
			} else if g := 2 * int(part[0]-'0'); g+1 < len(at) && at[g] >= 0 {
				b.WriteString(line[at[g]:at[g+1]])
			}
		}
		last = at[1]
	}
	return b.String() + line[last:]
}
