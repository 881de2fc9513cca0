package launch

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/imglint/imglint/pkg/facts"
)

// find looks a program up as the container runtime does: a name with a slash
// is relative to the working directory, others are searched on PATH.
func (f *follower) find(name string) facts.Program {
	if name == "" {
		return facts.Program{Found: facts.No}
	}
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			if f.dir == "" {
				return facts.Program{}
			}
			name = path.Join(f.dir, name)
		}
		return f.at(name)
	}
	search, _, certain := f.vars.lookup("PATH")
	p := f.searchPath(name, search)
	p.Searched = search
	if p.Found == facts.No && (!certain || f.search != facts.Yes || f.blind != "") {
		p.Found = facts.Unknown
	}
	return p
}

// searchPath takes the first executable file; one that nobody may execute is
// remembered for the case that there is no other.
func (f *follower) searchPath(name, search string) facts.Program {
	var refused *facts.Program
	certain := true
	for _, dir := range strings.Split(search, ":") {
		if dir == "" || !path.IsAbs(dir) {
			dir = path.Join("/", f.dir, dir)
		}
		p := f.at(path.Join(dir, name))
		switch {
		case p.Found == facts.Unknown:
			certain = false
		case p.Found == facts.Yes && !p.Dir && strings.Contains(p.Mode, "x"):
			if !certain {
				return facts.Program{Path: p.Path, Found: facts.Yes}
			}
			return p
		case p.Found == facts.Yes && !p.Dir && refused == nil:
			refused = &p
		}
	}
	switch {
	case !certain:
		return facts.Program{}
	case refused != nil:
		return *refused
	}
	return facts.Program{Found: facts.No}
}

// at describes the file's existence and permissions.
func (f *follower) at(file string) facts.Program {
	info, found := f.stat(file)
	p := facts.Program{Path: file, Found: found}
	if found != facts.Yes {
		return p
	}
	p.Mode, p.Dir = info.Mode().String(), info.IsDir()
	p.Executable = f.executable(file, info)
	return p
}

// describe adds what the first bytes of the program tell.
func (f *follower) describe(name string) facts.Program {
	p := f.find(name)
	if p.Found != facts.Yes || p.Dir || p.Mode == "" {
		return p
	}
	head, err := f.head(p.Path, maxHead)
	if err != nil {
		return p
	}
	if rest, ok := bytes.CutPrefix(head, []byte("\xef\xbb\xbf")); ok && bytes.HasPrefix(rest, []byte("#!")) {
		p.BOM = true
	}
	switch {
	case len(head) == 0:
		p.Kind = "empty"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		p.Kind = "elf"
		p.Architecture, p.Interpreter = parseELF(head)
		if p.Interpreter != "" {
			p.InterpreterFound = f.exists(p.Interpreter)
		}
	case bytes.HasPrefix(head, []byte("#!")):
		p.Kind = "script"
		f.shebang(&p, head)
	case isText(head):
		p.Kind = "text"
	default:
		p.Kind = "other"
	}
	return p
}

// isText allows for a rune cut off at the end.
func isText(head []byte) bool {
	return !bytes.ContainsRune(head, 0) && utf8.Valid(head[:max(0, len(head)-utf8.UTFMax)])
}

// shebang reads the #! line.
func (f *follower) shebang(p *facts.Program, head []byte) {
	line, _, _ := strings.Cut(string(head[2:]), "\n")
	if trimmed, ok := strings.CutSuffix(line, "\r"); ok {
		p.CRLF, line = true, trimmed
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return
	}
	p.Interpreter = words[0]
	if p.CRLF { // the carriage return is part of the path or of its argument
		p.InterpreterFound = facts.No
		return
	}
	p.InterpreterFound = f.exists(path.Join("/", words[0]))
	if target := envTarget(words); target != "" && p.InterpreterFound == facts.Yes {
		p.InterpreterFound = f.find(target).Found
	}
}

// envTarget is the program of "#!/usr/bin/env python3", "" for others.
func envTarget(words []string) string {
	if path.Base(words[0]) != "env" {
		return ""
	}
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") && !strings.Contains(w, "=") {
			return w
		}
	}
	return ""
}

// interpreterName is the program that reads a script, through env.
func interpreterName(p facts.Program, f *follower) string {
	contenv := path.Base(p.Interpreter) == "with-contenv" // of s6-overlay: it runs its argument
	if path.Base(p.Interpreter) != "env" && !contenv {
		return p.Interpreter
	}
	head, err := f.head(p.Path, maxHead)
	if err != nil || len(head) < 2 {
		return p.Interpreter
	}
	line, _, _ := strings.Cut(string(head[2:]), "\n")
	if words := strings.Fields(line); contenv && len(words) > 1 {
		return words[1]
	}
	return envTarget(strings.Fields(line))
}
