package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// CommandNotFound reports a command whose program is not in the image or not
// on its PATH, and a program whose interpreter is missing: a script with
// Windows line ends ("#!/bin/sh\r"), a shell that the image does not have, a
// binary built for another C library (Alpine's musl on Debian or the reverse).
//
// Why it fails: the kernel answers ENOENT ("no such file or directory", exit
// code 127), so nothing ever listens. The message is the same whether the
// program or its interpreter is missing, which is why it misleads.
//
// Fix: install or copy the program, spell its path in full, or repair the
// first line of the script.
var CommandNotFound = &rule.Rule{
	ID:       "command-not-found",
	Title:    "the command or its interpreter is not in the image",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	Check:    checkCommandNotFound,
}

func checkCommandNotFound(p *rule.Pass) {
	if len(p.Launch.Argv) == 0 {
		return
	}
	if event, ok := execError(p); ok {
		if event.Errno == "ENOENT" || event.Errno == "ENOTDIR" {
			reportNotFound(p, p.Launch.Program, p.Launch.Argv[0], first(p), event)
		}
		return
	}
	if p.Run == nil {
		if lacking(p.Launch.Program) {
			reportNotFound(p, p.Launch.Program, p.Launch.Argv[0], first(p), facts.Event{})
			return
		}
	} else if p.Run.Exit == nil || p.Run.Exit.Code != 127 {
		return
	}
	// The program that a shell or wrapper runs in the end.
	if name := p.Launch.Command.Name(); certain(p) && name != "" && lacking(p.Launch.Final) {
		reportNotFound(p, p.Launch.Final, name, where(p), facts.Event{})
	}
}

// execError returns the event of a program that could not be executed.
func execError(p *rule.Pass) (facts.Event, bool) {
	if p.Run == nil {
		return facts.Event{}, false
	}
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventExecError {
			return e, true
		}
	}
	return facts.Event{}, false
}

func lacking(program facts.Program) bool {
	return program.Found == facts.No || program.Found == facts.Yes && program.InterpreterFound == facts.No
}

func reportNotFound(p *rule.Pass, program facts.Program, name string, place finding.Place, event facts.Event) {
	message, fix := explainNotFound(p, program, name)
	f := finding.Finding{Message: message, Place: place, Fix: &finding.Fix{Description: fix}}
	if cmd := p.Image.Config.Cmd; strings.HasPrefix(fix, everyWord) && len(cmd) == 1 && len(p.Image.Config.Entrypoint) == 0 {
		words := strings.Fields(name)
		f.Fix = &finding.Fix{Description: everyWord, Instruction: "CMD " + jsonWords(words), Change: finding.Change{Cmd: words}}
	}
	if event.Kind != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{
			Kind: "seen", Text: fmt.Sprintf("executing %s failed: %s (no such file or directory)", commandLine(event.Argv), event.Errno),
		})
	} else if p.Run != nil {
		f.Evidence = append(logTail(p, 3), finding.Evidence{
			Kind: "seen", At: p.Run.Exit.T.Seconds(), Text: "the container exited with code 127: command not found",
		})
	}
	p.Report(f)
}

const everyWord = "make every word a string of its own"

// builtins work only inside a shell.
var builtins = []string{"exec", "cd", "source", ".", "export", "set", "ulimit", "umask", "eval", "wait", "trap"}

func explainNotFound(p *rule.Pass, program facts.Program, name string) (message, fix string) {
	found := program.Found == facts.Yes
	switch {
	case found && program.CRLF:
		return fmt.Sprintf("%s has Windows line ends: its first line makes the kernel look for a program named %q", program.Path, program.Interpreter+"\r"),
			fmt.Sprintf(`convert it: RUN sed -i 's/\r$//' %s (and keep it so with "* text eol=lf" in .gitattributes)`, program.Path)
	case found && program.Kind == "elf":
		return fmt.Sprintf("%s needs the loader %s, which is not in the image: it was built for another C library or another base image", program.Path, program.Interpreter),
			"build it on the same base image as it runs on, or as a static binary (Go: CGO_ENABLED=0)"
	case found && program.Interpreter != "":
		return fmt.Sprintf("%s is run by %s, which is not in the image", program.Path, program.Interpreter),
			fmt.Sprintf("install %s in the image, or change the script's first line to an interpreter that is there", path.Base(program.Interpreter))
	case slices.Contains(builtins, name):
		return fmt.Sprintf("%q is a word of the shell and not a program, and no shell reads this line", name),
			"use the shell form, without brackets: CMD " + strings.Join(p.Launch.Argv, " ")
	case strings.Contains(name, " "):
		return fmt.Sprintf("the whole text %q is taken as the name of one program", name),
			everyWord + ": CMD " + jsonWords(strings.Fields(name))
	case strings.Contains(name, "/"):
		return fmt.Sprintf("%s does not exist in the image", name),
			fmt.Sprintf("COPY it into the image, or correct the path (WORKDIR is %s)", workdir(p))
	}
	return fmt.Sprintf("%s is not in the image: no directory of PATH has it (%s)", name, searched(p, program)),
		fmt.Sprintf("install %s in the image, or give its full path", name)
}

func searched(p *rule.Pass, program facts.Program) string {
	if program.Searched != "" {
		return clip(program.Searched, 160)
	}
	if value, ok := p.Image.Config.Lookup("PATH"); ok {
		return clip(value, 160)
	}
	return "the default PATH"
}

func workdir(p *rule.Pass) string {
	if p.Image.Config.WorkingDir == "" {
		return "/"
	}
	return p.Image.Config.WorkingDir
}
