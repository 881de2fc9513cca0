package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// CommandNotExecutable reports a command whose file is there but cannot be
// executed: no execute bit, not for the image's USER, a directory, or a
// script without a #! line.
//
// Why it fails: the kernel answers EACCES ("permission denied", exit code
// 126) or ENOEXEC ("exec format error"), so nothing ever listens. It often
// works on the author's machine, where a bind mount or another file system
// keeps the bit.
//
// Fix: COPY --chmod=755 the file, or add the #! line.
var CommandNotExecutable = &rule.Rule{
	ID:       "command-not-executable",
	Title:    "the command's file cannot be executed",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound},
	Check:    checkCommandNotExecutable,
}

func checkCommandNotExecutable(p *rule.Pass) {
	if len(p.Launch.Argv) == 0 {
		return
	}
	program, name, place := p.Launch.Program, p.Launch.Argv[0], first(p)
	if p.Run != nil {
		event, ok := refusedExec(p)
		if ok && event.Errno == "ENOEXEC" && program.Kind == "elf" {
			return // wrong-architecture explains it
		}
		if ok {
			p.Report(notExecutable(p, program, name, place, event))
			return
		}
		if ran(p) && (p.Run.Exit == nil || p.Run.Exit.Code != 126) {
			return
		}
	}
	if !unexecutable(program) {
		program, name, place = p.Launch.Final, p.Launch.Command.Name(), where(p)
	}
	if name != "" && certain(p) && unexecutable(program) {
		p.Report(notExecutable(p, program, name, place, facts.Event{}))
	}
}

func unexecutable(program facts.Program) bool {
	return program.Found == facts.Yes && (program.Executable == facts.No || program.Dir)
}

// refusedExec returns the event of an execution that failed for its
// permissions or its format.
func refusedExec(p *rule.Pass) (facts.Event, bool) {
	for _, e := range p.Run.Events {
		if e.Kind == facts.EventExecError && (e.Errno == "EACCES" || e.Errno == "EPERM" || e.Errno == "ENOEXEC") {
			return e, true
		}
	}
	return facts.Event{}, false
}

func notExecutable(p *rule.Pass, program facts.Program, name string, place finding.Place, event facts.Event) finding.Finding {
	file := program.Path
	if file == "" {
		file = name
	}
	f := finding.Finding{Place: place}
	switch {
	case event.Errno == "ENOEXEC":
		f.Message = fmt.Sprintf("%s cannot be executed: it has no #! line that says which interpreter runs it", file)
		f.Fix = &finding.Fix{Description: "make #!/bin/sh its first line, without anything before it"}
	case program.Dir:
		f.Message = fmt.Sprintf("%s is a directory", file)
		f.Fix = &finding.Fix{Description: "name the program inside it"}
	default:
		f.Message = fmt.Sprintf("%s is not executable%s%s", file, forUser(p), modeOf(program))
		f.Fix = &finding.Fix{
			Description: fmt.Sprintf("copy it with COPY --chmod=755, or add RUN chmod 755 %s", file),
			Change:      finding.Change{Files: []finding.FileEdit{{Path: file, Mode: 0o755}}},
		}
	}
	if event.Kind != "" {
		f.Evidence = []finding.Evidence{{Kind: "seen", Text: fmt.Sprintf("executing %s failed: %s", commandLine(event.Argv), event.Errno)}}
	}
	return f
}

func forUser(p *rule.Pass) string {
	if user := p.Image.Config.User; user != "" && user != "0" && user != "root" {
		return " for user " + user
	}
	return ""
}

func modeOf(program facts.Program) string {
	if program.Mode == "" {
		return ""
	}
	return " (mode " + program.Mode + ")"
}
