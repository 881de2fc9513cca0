package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Service is one line of a Procfile. The zero value is the image's own command.
type Service struct {
	Name string
	Line string // the command as written
	// File and Number are where the line stands in the image.
	File   string
	Number int
}

// serviceLine is how Procfiles are written everywhere: NAME: COMMAND.
var serviceLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+)$`)

// Services reads the Procfile of an image whose platform starts what it says;
// nil if there is none.
func (p *Platform) Services(files fs.FS) ([]Service, error) {
	if p.Procfile == nil {
		return nil, nil
	}
	name := p.Procfile.Value
	text, err := fs.ReadFile(files, strings.TrimPrefix(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var services []Service
	for i, line := range strings.Split(string(text), "\n") {
		if m := serviceLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			services = append(services, Service{Name: m[1], Line: m[2], File: name, Number: i + 1})
		}
	}
	return services, nil
}

// BeforeRelease reads the file of the image that lists what the platform runs
// before a release; no commands if there is none.
func (p *Platform) BeforeRelease(files fs.FS) (name string, commands []string, err error) {
	name = p.Release.Value
	text, err := fs.ReadFile(files, strings.TrimPrefix(name, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil, nil
	}
	if err != nil {
		return name, nil, fmt.Errorf("read %s: %w", name, err)
	}
	var file struct {
		BeforeRelease []string `yaml:"before_release"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return name, nil, fmt.Errorf("read %s: %w", name, err)
	}
	return name, file.BeforeRelease, nil
}

// Argv is what the platform executes for the line, as ENTRYPOINT and CMD: with
// an entrypoint, its words literally, so that $VAR is not expanded; without,
// a shell runs the line.
func (s Service) Argv(entrypoint []string) (newEntrypoint, cmd []string) {
	if len(entrypoint) == 0 {
		return nil, []string{"/bin/sh", "-c", s.Line}
	}
	return entrypoint, splitWords(s.Line)
}

// splitWords splits as a shell does, quotes removed, and expands nothing.
func splitWords(line string) []string {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case r == '\\' && quote != '\'' && i+1 < len(runes):
			i++
			word.WriteRune(runes[i])
			begun = true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// ServiceEnv is a target's environment for the service: the variable that
// names the process type names it.
func (p *Platform) ServiceEnv(env []string, s Service) []string {
	named := slices.Clone(env)
	for i, kv := range named {
		if strings.HasSuffix(kv, "_PROCESS_TYPE=cmd") {
			named[i] = strings.TrimSuffix(kv, "cmd") + s.Name
		}
	}
	return named
}
