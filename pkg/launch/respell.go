package launch

import (
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Respell gives a shell or tini in front of the command its words as it wants
// them: sh takes one word behind -c for its script, and Debian's tini takes the
// program's options for its own where -- is missing. ok is false when there is
// nothing of that kind.
func Respell(cfg facts.Config) (r facts.Remedy, ok bool) {
	argv := cfg.Argv()
	if len(argv) < 3 {
		return r, false
	}
	switch name := path.Base(argv[0]); {
	case name == "tini" || name == "tini-static" || name == "docker-init":
		return endOptions(cfg)
	case shells[name] && argv[1] == "-c" && len(argv) > 3 && argv[2] != "" && !strings.ContainsAny(argv[2], " \t\n;&|()$<>"):
		return oneScript(cfg)
	}
	return r, false
}

// tiniValues are tini's options that take a value (tini 0.19, src/tini.c).
var tiniValues = []string{"-p", "-e"}

// endOptions puts -- in front of the program.
func endOptions(cfg facts.Config) (facts.Remedy, bool) {
	argv := cfg.Argv()
	at := 1
	for at < len(argv) && strings.HasPrefix(argv[at], "-") {
		if argv[at] == "--" {
			return facts.Remedy{}, false
		}
		if slices.Contains(tiniValues, argv[at]) {
			at++
		}
		at++
	}
	options := func(w string) bool { return strings.HasPrefix(w, "-") }
	if at+1 >= len(argv) || !slices.ContainsFunc(argv[at+1:], options) {
		return facts.Remedy{}, false
	}
	edited := facts.Config{Entrypoint: slices.Clone(cfg.Entrypoint), Cmd: slices.Clone(cfg.Cmd)}
	if n := len(cfg.Entrypoint); at <= n && n > 0 {
		edited.Entrypoint = slices.Insert(edited.Entrypoint, at, "--")
	} else {
		edited.Cmd = slices.Insert(edited.Cmd, at-n, "--")
	}
	return replacing(cfg, edited, "end "+path.Base(argv[0])+"'s own options with --")
}

// oneScript leaves the shell out where CMD holds it, and else makes one word of
// the script that it is given.
func oneScript(cfg facts.Config) (facts.Remedy, bool) {
	edited := facts.Config{Entrypoint: cfg.Entrypoint}
	switch border := len(cfg.Entrypoint); {
	case border == 0 && !slices.ContainsFunc(cfg.Cmd, func(w string) bool { return strings.Contains(w, "$") }):
		edited.Cmd = cfg.Cmd[2:]
		return replacing(cfg, edited, "run the program without a shell, which takes the word behind -c alone for its script")
	case border == 0:
		edited.Cmd = append(slices.Clone(cfg.Cmd[:2]), script(cfg.Cmd[2:]))
	case border == 2:
		edited.Cmd = []string{script(cfg.Cmd)}
	default:
		return facts.Remedy{}, false
	}
	return replacing(cfg, edited, "make one word of the script: the shell takes the word behind -c alone for it")
}

// script is the shell's text for a command; variables are still expanded.
func script(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		switch {
		case w != "" && !strings.ContainsAny(w, " \t\n;&|()<>*?[]#~`'\"\\${}"):
			quoted[i] = w
		case strings.Contains(w, "$"):
			quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(w) + `"`
		default:
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return "exec " + strings.Join(quoted, " ")
}

// replacing is the remedy that puts edited words in the place of the image's.
func replacing(cfg, edited facts.Config, description string) (facts.Remedy, bool) {
	change, lines := instructions(cfg, edited)
	return facts.Remedy{Description: description, Change: change, Instruction: strings.Join(lines, "\n")}, !change.Empty()
}

// instructions are the change from one ENTRYPOINT and CMD to others, and the
// instructions that differ. A change of ENTRYPOINT repeats CMD, because setting
// ENTRYPOINT resets a CMD that is inherited.
func instructions(cfg, edited facts.Config) (change finding.Change, lines []string) {
	if !slices.Equal(edited.Entrypoint, cfg.Entrypoint) {
		change.Entrypoint, change.Cmd = edited.Entrypoint, slices.Concat([]string{}, edited.Cmd)
		lines = append(lines, instructionText("ENTRYPOINT", cfg, cfg.Entrypoint, edited.Entrypoint))
	}
	if !slices.Equal(edited.Cmd, cfg.Cmd) {
		change.Cmd = edited.Cmd
		lines = append(lines, instructionText("CMD", cfg, cfg.Cmd, edited.Cmd))
	}
	return change, lines
}
