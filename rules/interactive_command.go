package rules

import (
	"fmt"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// InteractiveCommand reports a command that is a shell or a language's
// console: it waits for a person to type, and without a terminal it ends at
// once.
//
// Why it fails: a platform starts containers without a terminal, so the shell
// reads the end of its input and exits with code 0. With docker run -it it
// stays, which hides the problem.
//
// Fix: make CMD the program that serves. Often the image simply has no CMD of
// its own and inherits bash or python3 from its base image.
var InteractiveCommand = &rule.Rule{
	ID:       "interactive-command",
	Title:    "the command is a shell or console that ends without a terminal",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable},
	Check:    checkInteractiveCommand,
}

func checkInteractiveCommand(p *rule.Pass) {
	if p.Prediction.Interactive == "" || !certain(p) {
		return
	}
	if p.Run != nil && (p.Run.Exit == nil || p.Run.Exit.Code != 0) {
		return
	}
	f := finding.Finding{
		Message: fmt.Sprintf("the command is %s, which waits for a person to type and ends at once when there is no terminal", p.Prediction.Interactive),
		Place:   where(p),
		Fix:     &finding.Fix{Description: `make CMD the program that serves, for example CMD ["python3", "app.py"]`},
	}
	if fix := remedy(p.Launch.FixWords); fix != nil {
		f.Fix = fix
	}
	if p.Run != nil {
		f.Evidence = []finding.Evidence{{Kind: "seen", At: p.Run.Exit.T.Seconds(), Text: "the container exited with code 0"}}
	}
	p.Report(f)
}
