package servers

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// unitDirs are where systemd units stand, the administrator's first.
var unitDirs = []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// maxProgram bounds the programs whose imports are read.
const maxProgram = 4 << 20

// maxUnits bounds how many units are read.
const maxUnits = 200

// hint says what the image itself tells about a program that the catalogue
// does not know: a systemd unit that starts it with the same words, or that it
// imports daemon(3). It is worth a note and decides nothing: an option, a
// variable or a file may.
func (run *invocation) hint() string {
	if run.files == nil || len(run.launch.Argv) == 0 || run.launch.Final.Kind != "elf" || run.launch.Final.Path == "" {
		return ""
	}
	if hint, found := run.unitHint(); found {
		return hint
	}
	return run.importHint()
}

// unitHint finds the unit that starts the program with the same words.
func (run *invocation) unitHint() (hint string, found bool) {
	read := 0
	for _, dir := range unitDirs {
		entries, err := fs.ReadDir(run.files, strings.Trim(dir, "/"))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".service") || read == maxUnits {
				continue
			}
			read++
			file := path.Join(dir, e.Name())
			text, err := run.read(file)
			if err != nil {
				continue
			}
			if hint, found := run.unit(file, text); found {
				return hint, true
			}
		}
	}
	return "", false
}

// unit reads the Type of a unit whose ExecStart is this command.
func (run *invocation) unit(file, text string) (hint string, found bool) {
	forks := 0
	for i, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "Type":
			if strings.TrimSpace(value) == "forking" {
				forks = i + 1
			}
		case "ExecStart":
			words, ok := shlex(strings.TrimLeft(value, "-@:+!"))
			found = found || ok && len(words) > 0 && words[0] == run.launch.Final.Path && slices.Equal(words[1:], run.command.Words()[1:])
		}
	}
	if found && forks > 0 {
		hint = fmt.Sprintf("%s:%d starts it with the same words and says Type=forking", file, forks)
	}
	return hint, found
}

// importHint reads the dynamic symbols of the program.
func (run *invocation) importHint() string {
	in, err := run.files.Open(strings.TrimPrefix(run.launch.Final.Path, "/"))
	if err != nil {
		return ""
	}
	defer in.Close() //nolint:errcheck // nothing was written
	if info, err := in.Stat(); err != nil || info.Size() > maxProgram {
		return ""
	}
	names, err := imports(in)
	if err != nil || !slices.Contains(names, "daemon") {
		return ""
	}
	return fmt.Sprintf("%s imports daemon(3)", run.launch.Final.Path)
}

// imports lists the functions that a program takes from libraries.
func imports(in io.Reader) ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxProgram))
	if err != nil {
		return nil, err
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	symbols, err := file.ImportedSymbols()
	if errors.Is(err, elf.ErrNoSymbols) {
		return nil, nil
	}
	var names []string
	for _, s := range symbols {
		names = append(names, s.Name)
	}
	return names, err
}

// languages are the interpreters of programs that are scripts, by name.
var languages = map[string]string{
	"python": "Python", "node": "JavaScript", "ruby": "Ruby", "perl": "Perl", "php": "PHP", "lua": "Lua", "Rscript": "R", "bun": "JavaScript", "deno": "TypeScript",
}

// stranger is the prediction about a program that the catalogue does not know.
func (run *invocation) stranger() facts.Prediction {
	p := facts.Prediction{Why: fmt.Sprintf("%s is not in the catalogue", run.program)}
	if p.Hint = run.hint(); p.Hint != "" {
		return p
	}
	final := run.launch.Final
	if final.Kind != "script" || path.Base(final.Path) != run.program {
		return p
	}
	name := path.Base(final.Interpreter)
	if pythonName.MatchString(name) {
		name = "python"
	}
	if language := languages[name]; language != "" {
		p.Why = fmt.Sprintf("%s is a program in %s: its code decides", run.program, language)
	}
	return p
}
