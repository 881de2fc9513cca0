package servers

import (
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	viteFiles = []string{"vite.config.js", "vite.config.mjs", "vite.config.ts", "vite.config.cjs", "vite.config.mts", "vite.config.cts"}
	// jsComment also matches strings, which are kept.
	jsComment = regexp.MustCompile("'[^'\\n]*'|\"[^\"\\n]*\"|`[^`]*`|//[^\\n]*|(?s:/\\*.*?\\*/)")
	jsLiteral = regexp.MustCompile(`^(?:(true|false)|'([\w.:-]*)'|"([\w.:-]*)"|(\d+))$`)
	jsSpread  = regexp.MustCompile(`\.\.\.|mergeConfig|\bloadConfigFromFile\b`)
)

// vite reads host and port of vite.config when they are literal there; options
// beat the file (vite.dev/config/server-options).
func vite(run *invocation) {
	section := "server"
	if run.server.ID == "vite-preview" {
		section = "preview"
	}
	names, named := viteFiles, false
	if o := run.option([]string{"-c", "--config"}); o != nil {
		names, named = []string{o.value}, true
	}
	for _, name := range names {
		file := run.absolute(name)
		text, err := run.read(file)
		if errors.Is(err, fs.ErrNotExist) && !named {
			continue
		}
		if err != nil {
			run.viteDoubt("%s may decide and was not read: %v", file, err)
			return
		}
		run.viteFile(file, text, section)
		return
	}
}

// viteDoubt gives up unless options say both host and port.
func (run *invocation) viteDoubt(format string, args ...any) {
	if run.resolve(*run.server.Host).explicit && run.resolve(*run.server.Port).explicit {
		return
	}
	run.unknown(format, args...)
}

func (run *invocation) viteFile(file, text, section string) {
	text = jsComment.ReplaceAllStringFunc(text, func(match string) string {
		if match[0] == '/' {
			return strings.Repeat("\n", strings.Count(match, "\n"))
		}
		return match
	})
	found, err := jsSection(text, section)
	if err == nil && found == nil && section == "preview" && strings.Contains(text, "server") {
		found, err = nil, errors.New("server's host counts for preview too")
	}
	if err == nil && jsSpread.MatchString(text) {
		err = errors.New("parts come from elsewhere")
	}
	if err != nil {
		run.viteDoubt("%s may decide: %v", file, err)
		return
	}
	for i := range run.p.Listens {
		run.viteSetting(&run.p.Listens[i], found, file)
	}
}

func (run *invocation) viteSetting(l *facts.Listen, values map[string]jsValue, file string) {
	for _, key := range []string{"host", "port"} {
		v, ok := values[key]
		set := run.server.Host
		if key == "port" {
			set = run.server.Port
		}
		if !ok || run.resolve(*set).explicit {
			continue
		}
		m := jsLiteral.FindStringSubmatch(v.text)
		from := file + ":" + strconv.Itoa(v.line)
		number, err := portNumber(v.text)
		switch {
		case m == nil || key == "port" && err != nil:
			run.unknown("%s: only a run can tell what %s is", from, key)
		case key == "port":
			l.Port, l.PortFrom = number, from
		case m[1] == "true":
			l.Host, l.HostFrom = "::", from
		case m[1] == "":
			l.Host, l.HostFrom = m[2]+m[3], from
		}
		l.Scope = scope(l.Host, false)
	}
}

// jsValue is what stands behind a key, as it is written.
type jsValue struct {
	text string
	line int
}

// jsSection reads the object behind KEY: { where it is the only one, nil where
// there is none.
func jsSection(text, key string) (map[string]jsValue, error) {
	places := regexp.MustCompile(`\b`+key+`\b`).FindAllStringIndex(text, -1)
	object := regexp.MustCompile(`^\s*:\s*\{`)
	var start []int
	for _, p := range places {
		if m := object.FindStringIndex(text[p[1]:]); m != nil {
			start = append(start, p[1]+m[1])
		} else if rest := strings.TrimLeft(text[p[1]:], " \t\n"); strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, ",") {
			return nil, errors.New(key + " is not written out")
		}
	}
	switch len(start) {
	case 0:
		return nil, nil
	case 1:
		return jsObject(text, start[0]), nil
	}
	return nil, errors.New(key + " stands there more than once")
}

// jsObject reads the keys of the object that starts at an offset; nested
// objects are passed over.
func jsObject(text string, at int) map[string]jsValue {
	values := map[string]jsValue{}
	depth, from := 0, at
	keep := func(to int) {
		key, value, ok := strings.Cut(text[from:to], ":")
		if name := strings.Trim(strings.TrimSpace(key), `'"`); name != "" {
			if !ok {
				value = name // shorthand: not literal
			}
			values[name] = jsValue{strings.TrimSpace(value), 1 + strings.Count(text[:from+len(key)], "\n")}
		}
		from = to + 1
	}
	for i := at; i < len(text); i++ {
		switch text[i] {
		case '\'', '"', '`':
			if end := strings.IndexByte(text[i+1:], text[i]); end >= 0 {
				i += end + 1
			}
		case '{', '[', '(':
			depth++
		case ')', ']', '}':
			if depth == 0 {
				keep(i)
				return values
			}
			depth--
		case ',':
			if depth == 0 {
				keep(i)
			}
		}
	}
	return values
}
