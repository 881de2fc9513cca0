package lint

import (
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// overridden is the config with what the user typed instead of the image's
// command. As with docker run, an entrypoint drops CMD.
func (o Options) overridden(config facts.Config) facts.Config {
	if o.Entrypoint != nil {
		config.Entrypoint, config.Cmd = o.Entrypoint, nil
	}
	if o.Command != nil {
		config.Cmd = o.Command
	}
	return config
}

// overrides reports whether the user typed what decides a field.
func (o Options) overrides(field finding.Field) bool {
	switch field {
	case finding.FieldEntrypoint:
		return o.Entrypoint != nil
	case finding.FieldCmd:
		return o.Command != nil || o.Entrypoint != nil
	}
	return false
}

// typed places a finding about the command at what the user typed, when that
// is what runs, and turns its fix into what to type.
func (o Options) typed(f *finding.Finding) bool {
	if !o.overrides(f.Place.Field) {
		return false
	}
	f.Place = finding.Place{Field: f.Place.Field, Words: f.Place.Words, Source: commandTyped(o.Entrypoint, o.Command)}
	if at := strings.Index(f.Place.Source, f.Place.Words); f.Place.Words != "" && at >= 0 {
		f.Place.Column, f.Place.EndColumn = at+1, at+1+len(f.Place.Words)
	}
	if f.Fix == nil || f.Fix.Instruction == "" || f.Fix.Change.Cmd == nil && f.Fix.Change.Entrypoint == nil {
		return true
	}
	entrypoint, command := o.Entrypoint, o.Command
	if f.Fix.Change.Entrypoint != nil {
		entrypoint = f.Fix.Change.Entrypoint
	}
	if f.Fix.Change.Cmd != nil {
		command = f.Fix.Change.Cmd
	}
	f.Fix.Instruction = commandTyped(entrypoint, command)
	return true
}

// again is the docker command that starts the image with what the user typed;
// of the variables their names, which docker takes from the shell's own.
func (o Options) again(ref string) string {
	words := []string{"docker", "run", "--rm"}
	for _, kv := range o.Env {
		name, _, _ := strings.Cut(kv, "=")
		words = append(words, "-e", quoted(name))
	}
	for _, volume := range o.Volumes {
		words = append(words, "-v", quoted(volume))
	}
	if o.User != "" {
		words = append(words, "--user", quoted(o.User))
	}
	command := o.Command
	if o.Entrypoint != nil {
		first := ""
		if len(o.Entrypoint) > 0 {
			first, command = o.Entrypoint[0], append(o.Entrypoint[1:len(o.Entrypoint):len(o.Entrypoint)], command...)
		}
		words = append(words, "--entrypoint", quoted(first))
	}
	if len(words) == 3 && len(command) == 0 {
		return ""
	}
	words = append(words, quoted(ref))
	for _, w := range command {
		words = append(words, quoted(w))
	}
	return strings.Join(words, " ")
}

// commandTyped is the part of imglint's command line that says what to start.
// Only the first word of an entrypoint can be typed as such.
func commandTyped(entrypoint, command []string) string {
	var words []string
	if entrypoint != nil {
		first := ""
		if len(entrypoint) > 0 {
			first, command = entrypoint[0], append(entrypoint[1:len(entrypoint):len(entrypoint)], command...)
		}
		words = append(words, "--entrypoint", quoted(first))
	}
	if len(command) > 0 {
		words = append(words, "--")
	}
	for _, w := range command {
		words = append(words, quoted(w))
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
