package sealed

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
)

func (m *machine) mkdir(hc interp.HandlerContext, args []string) (string, int, bool) {
	_, dirs := options(args)
	for _, dir := range dirs {
		for d := absolute(hc.Dir, dir); d != "/" && !tainted(d); d = path.Dir(d) {
			m.files.made[d] = true
		}
	}
	return "", 0, true
}

func (m *machine) touch(hc interp.HandlerContext, args []string) (string, int, bool) {
	_, files := options(args)
	for _, name := range files {
		name = absolute(hc.Dir, name)
		if _, found := m.files.lookup(name); found == facts.No {
			m.files.written[name] = &bytes.Buffer{}
		}
	}
	return "", 0, true
}

func (m *machine) rm(hc interp.HandlerContext, args []string) (string, int, bool) {
	_, files := options(args)
	for _, name := range files {
		name = absolute(hc.Dir, name)
		delete(m.files.written, name)
		m.files.gone[name] = true
	}
	return "", 0, true
}

// sleep is over at once, except for one that never is.
func (m *machine) sleep(hc interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) == 2 && args[1] == "infinity" {
		return "", 0, false
	}
	key := hc.Pos.String() + "sleep"
	m.repeats[key]++
	return "", 0, m.repeats[key] < maxRepeats && !tainted(args[len(args)-1])
}

// find lists files for the simple forms that entrypoints use; whatever it
// does to them is none of our business.
func (m *machine) find(hc interp.HandlerContext, args []string) (string, int, bool) {
	if slices.ContainsFunc(args, func(a string) bool { return a == "-exec" || a == "-delete" || a == "-execdir" }) {
		return "", 0, true
	}
	var dirs []string
	rest := args[1:]
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "!" && rest[0] != "(" && rest[0] != `\!` {
		dirs, rest = append(dirs, rest[0]), rest[1:]
	}
	f, ok := findOptions(rest)
	if !ok || len(dirs) != 1 || anyTainted(dirs) {
		return "", 0, false
	}
	top := absolute(hc.Dir, dirs[0])
	if _, found := m.files.lookup(top); found != facts.Yes || m.files.image == nil {
		return "", 1, found == facts.No
	}
	return f.walk(m, top, dirs[0])
}

type finder struct {
	depth, least int
	kind, name   string
}

func findOptions(words []string) (f finder, ok bool) {
	f.depth = 20
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "-follow", "-print", "-L":
			continue
		case "-maxdepth", "-mindepth":
			if len(value) != 1 || value[0] < '0' || value[0] > '9' {
				return f, false
			}
			if words[i] == "-maxdepth" {
				f.depth = int(value[0] - '0')
			} else {
				f.least = int(value[0] - '0')
			}
		case "-type":
			f.kind = value
		case "-name":
			f.name = value
		default:
			return f, false
		}
		i++
	}
	return f, true
}

func (f finder) walk(m *machine, top, spelled string) (string, int, bool) {
	var out strings.Builder
	n := 0
	err := fs.WalkDir(m.files.image, inside(top), func(name string, d fs.DirEntry, err error) error {
		if n++; err != nil || n > 2000 {
			return fs.ErrInvalid
		}
		rel := strings.TrimPrefix(strings.TrimPrefix("/"+name, top), "/")
		depth := strings.Count(rel, "/") + min(1, len(rel))
		match, _ := path.Match(f.name, d.Name())
		kind := f.kind == "" || f.kind == "d" && d.IsDir() || f.kind == "f" && !d.IsDir()
		if depth <= f.depth && depth >= f.least && kind && (f.name == "" || match) {
			out.WriteString(strings.TrimSuffix(path.Join(spelled, rel), "/") + "\n")
		}
		if d.IsDir() && depth >= f.depth {
			return fs.SkipDir
		}
		return nil
	})
	return out.String(), 0, err == nil
}
