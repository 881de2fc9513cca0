package dockerfile

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"mvdan.cc/sh/v3/syntax"
)

// chmod is one path whose mode a RUN changes.
type chmod struct {
	pattern   string // as path.Match takes it
	recursive bool
	apply     func(fs.FileMode) fs.FileMode
}

func (c *chmod) reaches(name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if ok, err := path.Match(c.pattern, at); err == nil && ok {
			return true
		}
		if !c.recursive {
			return false
		}
	}
	return c.recursive && c.pattern == "."
}

// run notes a RUN: chmod where it is plain, nothing for commands that leave
// copied files alone, and else that anything may have changed.
func (b *builder) run(c *instructions.RunCommand) {
	b.ground.ran = true
	calls, ok := callsOf(c)
	var deeds []deed
	for _, words := range calls {
		ok = ok && len(words) > 0
		if !ok {
			break
		}
		switch words[0] {
		case "chmod":
			var changed []deed
			changed, ok = b.chmod(words[1:])
			deeds = append(deeds, changed...)
		case "mkdir":
			ok = b.mkdir(words[1:])
		default:
			ok = harmless(words)
			b.ground.installed = b.ground.installed || installer[path.Base(words[0])]
		}
	}
	if !ok {
		deeds = []deed{{unknown: "."}}
	}
	b.deeds = append(b.deeds, deeds...)
}

// callsOf lists the simple commands of a RUN; a word that is not plain text is
// "". It fails for anything else than a list of commands.
func callsOf(c *instructions.RunCommand) ([][]string, bool) {
	if len(c.Files) > 0 {
		return nil, false
	}
	if !c.PrependShell {
		return [][]string{c.CmdLine}, true
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(strings.Join(c.CmdLine, " ")), "")
	if err != nil {
		return nil, false
	}
	var calls [][]string
	plain := true
	for _, s := range parsed.Stmts {
		calls, plain = flatten(s, calls, plain)
	}
	return calls, plain
}

func flatten(s *syntax.Stmt, calls [][]string, plain bool) ([][]string, bool) {
	for _, r := range s.Redirs {
		if target := r.Word.Lit(); target != "/dev/null" && r.Op != syntax.DplOut {
			return calls, false
		}
	}
	switch c := s.Cmd.(type) {
	case *syntax.BinaryCmd:
		calls, plain = flatten(c.X, calls, plain)
		return flatten(c.Y, calls, plain)
	case *syntax.CallExpr:
		if len(c.Args) == 0 {
			return calls, plain
		}
		var words []string
		for _, w := range c.Args {
			words = append(words, w.Lit())
		}
		return append(calls, words), plain
	}
	return calls, false
}

// quiet commands write only what is their own: packages, users, directories.
var quiet = map[string]bool{
	"apt-get": true, "apt": true, "apk": true, "yum": true, "dnf": true, "microdnf": true, "pip": true, "pip3": true, "pipx": true, "uv": true,
	"poetry": true, "pipenv": true, "bundle": true, "gem": true, "adduser": true, "addgroup": true, "useradd": true, "groupadd": true,
	"echo": true, "true": true, ":": true, "set": true, "export": true, "ldconfig": true, "update-ca-certificates": true,
}

// installer commands add what a project depends on below its directory, in
// node_modules, vendor or .venv.
var installer = map[string]bool{
	"pip": true, "pip3": true, "uv": true, "poetry": true, "pipenv": true, "bundle": true, "gem": true,
	"npm": true, "yarn": true, "pnpm": true, "python": true, "python3": true,
}

// installs are the subcommands of package managers that can run anything else.
var installs = []string{"ci", "install", "i", "add", "cache", "--version", "-v"}

// caches are what images are cleaned of.
var caches = []string{"/var/lib/apt/", "/var/cache/", "/tmp/", "/root/.cache", "/var/tmp/", "/usr/share/doc", "/usr/share/man"}

func harmless(words []string) bool {
	switch path.Base(words[0]) {
	case "npm", "yarn", "pnpm", "corepack":
		return len(words) > 1 && slices.Contains(installs, words[1]) || len(words) == 1 && words[0] == "yarn"
	case "python", "python3":
		return len(words) > 2 && words[1] == "-m" && quiet[words[2]]
	case "rm":
		return !slices.ContainsFunc(words[1:], func(w string) bool {
			return w == "" || !strings.HasPrefix(w, "-") && !slices.ContainsFunc(caches, func(c string) bool { return strings.HasPrefix(w, c) })
		})
	}
	return quiet[words[0]]
}

// chmod reads the words after chmod.
func (b *builder) chmod(words []string) ([]deed, bool) {
	recursive := false
	for len(words) > 0 && (words[0] == "-R" || words[0] == "--recursive" || words[0] == "-v" || words[0] == "-c") {
		recursive = recursive || words[0] == "-R" || words[0] == "--recursive"
		words = words[1:]
	}
	if len(words) < 2 {
		return nil, false
	}
	apply, ok := modeChange(words[0])
	if !ok {
		return nil, false
	}
	var deeds []deed
	for _, word := range words[1:] {
		if word == "" || !path.IsAbs(word) && b.cwd == "" {
			return nil, false
		}
		if !path.IsAbs(word) {
			word = path.Join(b.cwd, word)
		}
		deeds = append(deeds, deed{chmod: &chmod{pattern: inside(word), recursive: recursive, apply: apply}})
	}
	return deeds, true
}

// mkdir reads the words after mkdir.
func (b *builder) mkdir(words []string) bool {
	for i, word := range words {
		switch {
		case word == "" || word == "-m" || strings.HasPrefix(word, "--mode") || strings.ContainsAny(word, "{*?["):
			return false
		case i == 0 && (word == "-p" || word == "--parents"):
			continue
		}
		dir, ok := b.absolute(word)
		if !ok {
			return false
		}
		b.made(dir)
	}
	return true
}

var symbolic = regexp.MustCompile(`^([ugoa]*)\+([rwxX]+)$`)

// modeChange reads a mode: octal, or bits that are added.
func modeChange(text string) (func(fs.FileMode) fs.FileMode, bool) {
	if bits, err := strconv.ParseUint(text, 8, 12); err == nil {
		return func(m fs.FileMode) fs.FileMode { return m&^fs.ModePerm | fs.FileMode(bits)&fs.ModePerm }, true
	}
	m := symbolic.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	var bits fs.FileMode
	for letter, value := range map[string]fs.FileMode{"r": 0o4, "w": 0o2, "x": 0o1} {
		if !strings.Contains(m[2], letter) {
			continue
		}
		for who, shift := range map[string]int{"u": 6, "g": 3, "o": 0} {
			if m[1] == "" && !(letter == "w" && who != "u") || strings.ContainsAny(m[1], who+"a") {
				bits |= value << shift
			}
		}
	}
	return func(mode fs.FileMode) fs.FileMode { return mode | bits }, true
}
