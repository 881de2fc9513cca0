package rules

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// ExitsAtOnce reports a container that ended by itself before the health
// check could pass, with its command, its exit code or signal, what that code
// usually means, and the last lines it wrote.
//
// Why it fails: there is nothing left to answer. The platform reports only
// that the container exited, with its command and its code.
//
// Fix: the last lines of the log name the reason; run the same command with
// docker run to try again.
var ExitsAtOnce = &rule.Rule{
	ID:       "exits-at-once",
	Title:    "the container exited before it answered",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{NoCommand, CommandNotFound, CommandNotExecutable, WrongArchitecture, UnexpandedVariable, InteractiveCommand, Daemonizes, OutOfMemory, PrivilegedPort, MissingEnvironment, UnreachableDependency},
	Check:    checkExitsAtOnce,
}

func checkExitsAtOnce(p *rule.Pass) {
	exit := p.Run.Exit
	if exit == nil || passed(p) {
		return
	}
	if exit.Refused != "" {
		p.Report(finding.Finding{
			Message: "the container cannot be started: " + clip(exit.Refused, 300),
			Place:   where(p),
		})
		return
	}
	fix := remedy(p.Launch.FixWords)
	if fix == nil {
		fix = &finding.Fix{Description: advice(p)}
	}
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("the container exited with %s after %s: %s", status(exit), seconds(exit.T), commandLine(p.Launch.Argv)),
		Place:    where(p),
		Evidence: append(append(exitMeaning(p), leftOver(p)...), logTail(p, 8)...),
		Fix:      fix,
	})
}

// meanings of exit codes: 126, 127 and 128+n are the shell's convention (POSIX
// XCU 2.8.2); gunicorn's 3 and 4 are in its arbiter.py and were measured.
var meanings = map[int]string{
	0:   "code 0 means that the program ended by itself, as if its work were done",
	1:   "code 1 is a program's general error",
	2:   "code 2 usually means that the program did not understand its arguments",
	126: "code 126 means that the command was found but could not be executed",
	127: "code 127 means that a command was not found",
	132: "SIGILL: the program uses instructions that this CPU does not have",
	134: "SIGABRT: the program stopped itself after an internal error",
	135: "SIGBUS: the program read memory that is not there (often a full or small /dev/shm)",
	137: "SIGKILL: something killed the program without the memory limit being reached",
	139: "SIGSEGV: the program crashed",
	143: "SIGTERM: something asked the program to stop",
}

func exitMeaning(p *rule.Pass) []finding.Evidence {
	text := meanings[p.Run.Exit.Code]
	if p.Prediction.Server == "gunicorn" {
		switch p.Run.Exit.Code {
		case 3:
			text = "gunicorn's code 3 means that a worker failed to boot: importing the application raised an error"
		case 4:
			text = "gunicorn's code 4 means that the application object was not found in the module"
		}
	}
	if p.Run.Exit.Unsaid {
		text = fmt.Sprintf("SIGKILL: the kernel, at the memory limit of %s, or something else killed the program; this engine does not say which", size(p.Run.MemoryLimit))
	}
	if why := workDone(p); why.says != "" {
		text = why.says
	}
	if text == "" {
		return nil
	}
	return []finding.Evidence{{Kind: "seen", Text: text, At: p.Run.Exit.T.Seconds()}}
}

// ending is why a program that exited with code 0 had no more to do, and what
// to do about it, if more than usual.
type ending struct{ says, fix string }

func workDone(p *rule.Pass) ending {
	if p.Prediction.Ends != "" || p.Run.Exit.Code != 0 {
		return ending{says: p.Prediction.Ends}
	}
	if m, ok := mentioned(patterns().Ended, p.Run.Log.Lines); ok {
		return ending{m.pattern.Says, m.pattern.Fix}
	}
	words := p.Launch.Command.Words()
	if len(words) > 1 && slices.Contains(asking, words[1]) {
		return ending{says: fmt.Sprintf("%s asks %s for a text, and not to serve", words[1], program(p))}
	}
	if argv := p.Launch.Argv; len(argv) == 3 && argv[1] == "-c" {
		if m := lastWord.FindStringSubmatch(argv[2]); m != nil {
			return ending{
				fmt.Sprintf("the shell's code 0 is that of %q at its end: what ran before it may have failed", cmp.Or(m[1:]...)),
				"mend what the last lines of its log say, and make the server the last command, with exec",
			}
		}
	}
	return ending{}
}

// asking are first arguments that ask any program for a text.
var asking = []string{"--version", "-version", "version", "--help", "help"}

// lastWord finds what a shell script ends in so that its code is 0 whatever
// happened before. (wait without a process waits for all, and answers 0.)
var lastWord = regexp.MustCompile(`(?:(?:;|\|\|)\s*(true|:)|&\s*(?:;\s*)?(wait)|\|\s*(tee)\b[^|;&]*)\s*;?\s*$`)

// leftOver tells what ran on in the background for a while after the first
// process had ended.
func leftOver(p *rule.Pass) []finding.Evidence {
	if p.Wrapped == nil || len(p.Wrapped.Survivors) == 0 {
		return nil
	}
	s := p.Wrapped.Survivors[0]
	text := fmt.Sprintf("started again under a process that stays, %s ran on in the background for %s", processName(s.Argv), seconds(s.Alive))
	if s.Exit != nil {
		text += " and exited with " + status(s.Exit)
	}
	return []finding.Evidence{{Kind: "seen", Text: text}}
}

func advice(p *rule.Pass) string {
	why := workDone(p)
	switch {
	case why.fix != "":
		return why.fix
	case p.Run.Exit.Code == 0 && len(p.Run.Log.Lines) == 0:
		return "make CMD a program that keeps running in the foreground"
	case p.Run.Exit.Code == 0:
		return "make CMD a program that keeps running in the foreground; this one said it was done"
	case len(p.Run.Log.Lines) == 0 && inFile(p):
		return "it wrote nothing; docker load it and run it by hand to see"
	case len(p.Run.Log.Lines) == 0:
		return "it wrote nothing; run it by hand to see: " + again(p)
	}
	if inFile(p) {
		return "mend what the last lines of its log say, then call imglint again"
	}
	return "mend what the last lines of its log say, then try again: " + again(p)
}

// inFile reports whether the image has no name that docker run takes.
func inFile(p *rule.Pass) bool {
	return p.Image.Source == "archive" || p.Image.Source == "OCI layout"
}

// again starts the image by hand as it was started here.
func again(p *rule.Pass) string {
	if p.Again != "" {
		return p.Again
	}
	return "docker run --rm " + shellQuote(p.Image.Ref)
}
