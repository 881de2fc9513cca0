package launch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Rewrite maps a remedy for the last command back to the image's config: the
// change, and the Dockerfile instruction to end up with. ok is false when the
// edit cannot be made exactly, or is one of a file.
func Rewrite(cfg facts.Config, l facts.Launch, r facts.Remedy) (change finding.Change, instruction string, ok bool) {
	if r.Argv == nil && r.Env == nil {
		return finding.Change{}, "", false
	}
	var lines []string
	if r.Argv != nil {
		edited := facts.Config{Entrypoint: slices.Clone(cfg.Entrypoint), Cmd: slices.Clone(cfg.Cmd)}
		if !rewriteArgv(&edited, l, r.Argv) {
			return finding.Change{}, "", false
		}
		change, lines = instructions(cfg, edited)
	}
	if r.Env != nil {
		change.Env = r.Env
		for _, kv := range r.Env {
			lines = append(lines, "ENV "+envText(kv))
		}
	}
	return change, strings.Join(lines, "\n"), !change.Empty()
}

// rewriteArgv edits ENTRYPOINT and CMD so that the command becomes argv.
func rewriteArgv(cfg *facts.Config, l facts.Launch, argv []string) bool {
	origin := l.Command.Origin
	element := field(cfg, origin.Field)
	if element == nil || origin.Index >= len(*element) {
		return false
	}
	if origin.End != 0 {
		text, ok := rewriteScript((*element)[origin.Index], l, argv)
		if ok {
			(*element)[origin.Index] = text
		}
		return ok
	}
	return rewriteWords(cfg, l, argv)
}

func field(cfg *facts.Config, name finding.Field) *[]string {
	switch name {
	case finding.FieldEntrypoint:
		return &cfg.Entrypoint
	case finding.FieldCmd:
		return &cfg.Cmd
	}
	return nil
}

// rewriteWords edits a command that is made of array elements, which may run
// on from ENTRYPOINT into CMD.
func rewriteWords(cfg *facts.Config, l facts.Launch, argv []string) bool {
	start := l.Command.Origin.Index
	if l.Command.Origin.Field == finding.FieldCmd {
		start += len(cfg.Entrypoint)
	}
	old, whole := l.Command.Words(), cfg.Argv()
	if start+len(old) > len(whole) || !slices.Equal(whole[start:start+len(old)], old) {
		return false
	}
	from, to, with := difference(old, argv)
	from, to = from+start, to+start
	border := len(cfg.Entrypoint)
	switch {
	case from >= border && len(cfg.Cmd) > 0:
		cfg.Cmd = slices.Replace(cfg.Cmd, from-border, to-border, with...)
	case to <= border:
		cfg.Entrypoint = slices.Replace(cfg.Entrypoint, from, to, with...)
	default: // the words on both sides of the border change
		cfg.Entrypoint = slices.Replace(cfg.Entrypoint, from, border, with...)
		cfg.Cmd = cfg.Cmd[to-border:]
	}
	return true
}

// difference is the shortest edit: old[from:to] becomes with.
func difference(old, want []string) (from, to int, with []string) {
	for from < min(len(old), len(want)) && old[from] == want[from] {
		from++
	}
	tail := 0
	for tail < min(len(old), len(want))-from && old[len(old)-1-tail] == want[len(want)-1-tail] {
		tail++
	}
	return from, len(old) - tail, want[from : len(want)-tail]
}

// instructionText writes an instruction in the form that it has: shell form
// when the words are the image's shell and one script.
func instructionText(name string, cfg facts.Config, old, words []string) string {
	shell := cfg.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	n := len(words) - 1
	if n == len(shell) && len(old) == len(words) && slices.Equal(words[:n], shell) && !strings.Contains(words[n], "\n") {
		return name + " " + words[n]
	}
	return name + " " + jsonWords(words)
}

// jsonWords is the exec form, spaced as people write it.
func jsonWords(words []string) string {
	parts := make([]string, len(words))
	for i, w := range words {
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(w); err != nil { // a string always encodes
			return fmt.Sprintf("%q", words)
		}
		parts[i] = strings.TrimSpace(b.String())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// envText quotes a value for ENV where it needs it.
func envText(kv string) string {
	key, value, _ := strings.Cut(kv, "=")
	if value != "" && !strings.ContainsAny(value, " \t\"'\\$#") {
		return kv
	}
	return key + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}
