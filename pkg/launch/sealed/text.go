package sealed

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
)

func (m *machine) cat(hc interp.HandlerContext, args []string) (string, int, bool) {
	flags, files := options(args)
	text, ok := m.input(hc, files)
	return text, 0, ok && flags == ""
}

func (m *machine) tee(hc interp.HandlerContext, args []string) (string, int, bool) {
	flags, files := options(args)
	text, ok := m.input(hc, nil)
	for _, name := range files {
		if strings.HasPrefix(name, "/dev/") {
			continue
		}
		name = absolute(hc.Dir, name)
		var before string
		if strings.Contains(flags, "a") {
			before, _ = m.files.text(name)
		}
		m.files.written[name] = bytes.NewBufferString(before + text)
	}
	return text, 0, ok
}

func (m *machine) sort(hc interp.HandlerContext, args []string) (string, int, bool) {
	flags, files := options(args)
	text, ok := m.input(hc, files)
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, ""), 0, ok && (flags == "" || flags == "V")
}

var trSets = map[string]func(string) string{
	"a-z A-Z": strings.ToUpper, "[:lower:] [:upper:]": strings.ToUpper, "A-Z a-z": strings.ToLower, "[:upper:] [:lower:]": strings.ToLower,
	"[A-Z] [a-z]": strings.ToLower, "[a-z] [A-Z]": strings.ToUpper,
}

func (m *machine) tr(hc interp.HandlerContext, args []string) (string, int, bool) {
	f := trSets[strings.Join(args[1:], " ")]
	if f == nil {
		return "", 0, false
	}
	text, ok := m.input(hc, nil)
	return f(text), 0, ok
}

// grep answers about the image's own files and known input.
func (m *machine) grep(hc interp.HandlerContext, args []string) (string, int, bool) {
	flags, rest := options(args)
	if len(rest) == 0 || strings.Trim(flags, "qEFisvw") != "" || anyTainted(rest) {
		return "", 0, false
	}
	expr := rest[0]
	if strings.Contains(flags, "F") {
		expr = regexp.QuoteMeta(expr)
	} else if strings.ContainsAny(expr, `\+?|(){}`) && !strings.Contains(flags, "E") && args[0] == "grep" {
		return "", 0, false
	}
	if strings.Contains(flags, "i") {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	text, ok := m.input(hc, rest[1:])
	if err != nil || !ok || tainted(text) || strings.Contains(flags, "w") {
		return "", 0, false
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		if re.MatchString(strings.TrimSuffix(line, "\n")) != strings.Contains(flags, "v") {
			out.WriteString(line)
		}
	}
	if out.Len() == 0 {
		return "", 1, true
	}
	if strings.Contains(flags, "q") {
		return "", 0, true
	}
	return out.String(), 0, true
}

var substituted = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))`)

// envsubst fills variables in: all, or those that its argument names.
func (m *machine) envsubst(hc interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) > 2 || len(args) == 2 && (strings.HasPrefix(args[1], "-") || tainted(args[1])) {
		return "", 0, false
	}
	text, ok := m.input(hc, nil)
	out := substituted.ReplaceAllStringFunc(text, func(v string) string {
		name := strings.Trim(v, "${}")
		wanted := len(args) == 1 || slices.ContainsFunc(substituted.FindAllString(args[1], -1), func(w string) bool { return strings.Trim(w, "${}") == name })
		value := hc.Env.Get(name)
		switch {
		case !wanted:
			return v
		case !value.Exported:
			return ""
		}
		return value.String()
	})
	return out, 0, ok
}

// cp copies one file, or moves it.
func (m *machine) cp(hc interp.HandlerContext, args []string) (string, int, bool) {
	flags, rest := options(args)
	if len(rest) != 2 || anyTainted(rest) || strings.Trim(flags, "fapv") != "" || m.lost {
		return "", 0, false
	}
	from, to := absolute(hc.Dir, rest[0]), absolute(hc.Dir, rest[1])
	if i, found := m.files.lookup(to); found == facts.Unknown {
		return "", 0, false
	} else if found == facts.Yes && i.IsDir() {
		to = path.Join(to, path.Base(from))
	}
	i, found := m.files.lookup(from)
	if found != facts.Yes || i.IsDir() || i.Mode()&fs.ModeSymlink != 0 {
		return "", 0, false
	}
	text, err := m.files.text(from)
	if err != nil {
		return "", 0, false
	}
	m.files.write(to, text)
	if path.Base(args[0]) == "mv" {
		delete(m.files.written, from)
		m.files.gone[from] = true
		return "", 0, false // what is no longer there has to be told as well
	}
	return "", 0, true
}
