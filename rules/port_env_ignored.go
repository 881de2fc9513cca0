package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// PortEnvIgnored reports a server that listens elsewhere although the platform
// hands out the port to listen on as PORT.
//
// Why it fails: the platform sends its health check to the port that it has
// handed out. imglint starts the program with a PORT that the image does not
// name, so that a server that is there by luck shows itself.
//
// Fix: listen on $PORT. Only a shell expands it: CMD in exec form does not.
var PortEnvIgnored = &rule.Rule{
	ID:       "port-env-ignored",
	Title:    "the platform hands out PORT and the program does not listen there",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, WrongArchitecture, UnexpandedVariable, InteractiveCommand, Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkPortEnvIgnored,
}

func checkPortEnvIgnored(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if !p.Target.Endpoint.Injected || passed(p) {
		return
	}
	if p.Run == nil {
		predictPortEnvIgnored(p)
		return
	}
	if p.Run.Exit != nil {
		return
	}
	listeners := tcp(p)
	if len(on(listeners, endpoint)) > 0 {
		return
	}
	l, ok := answering(p, listeners)
	if !ok {
		return
	}
	p.Report(finding.Finding{
		Message: fmt.Sprintf("%s listens on port %d although it is given PORT=%d, where %s sends its health check", owner(p, l), l.Port, endpoint, platformName(p)),
		Place:   where(p),
		Evidence: []finding.Evidence{
			sight(p, l),
			{Kind: "seen", Text: fmt.Sprintf("started with PORT=%d, nothing listened on port %d within %s", endpoint, endpoint, seconds(p.Run.Took))},
		},
		Fix: portEnvFix(p, owner(p, l), l.Port),
	})
}

// predictPortEnvIgnored is for a program whose every listener is known; what
// listens on loopback only is another rule's.
func predictPortEnvIgnored(p *rule.Pass) {
	endpoint := p.Target.Endpoint.Port
	if p.Target.Endpoint.Scanned || !predictable(p) || p.Launch.Ends != "" || p.Prediction.Daemonizes == facts.Yes {
		return
	}
	var other *facts.Listen
	for _, l := range predictedTCP(p) {
		if l.Port == endpoint || l.Port == 0 {
			return
		}
		if l.Scope == facts.ScopeAny && other == nil {
			other = &l
		}
	}
	if other == nil {
		return
	}
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("%s will listen on port %d although it is given PORT=%d, where %s sends its health check", program(p), other.Port, endpoint, platformName(p)),
		Detail:   origin(*other),
		Place:    bindPlace(p, *other),
		Evidence: []finding.Evidence{{Kind: "read", Text: expected(p, *other)}},
		Fix:      portEnvFix(p, program(p), other.Port),
	})
}

// portEnvFix replaces the port in a command without a shell by one that a
// shell expands, where that is all there is to do.
func portEnvFix(p *rule.Pass, who string, number int) *finding.Fix {
	fix := &finding.Fix{Description: fmt.Sprintf("make %s listen on the port that the variable PORT holds", who)}
	argv, entrypoint := p.Image.Config.Cmd, p.Image.Config.Entrypoint
	if len(entrypoint) > 0 || len(argv) < 2 || p.Launch.Shell != "" {
		return fix
	}
	port := fmt.Sprint(number)
	words, found := make([]string, len(argv)), 0
	for i, arg := range argv {
		words[i] = shellQuote(arg)
		if arg == port || strings.HasSuffix(arg, ":"+port) || strings.HasSuffix(arg, "="+port) {
			words[i] = strings.TrimSuffix(arg, port) + "${PORT:-" + port + "}"
			found++
		}
	}
	if found != 1 || strings.HasSuffix(argv[0], "sh") {
		return fix
	}
	line := "exec " + strings.Join(words, " ")
	fix.Description = "let a shell expand PORT"
	fix.Instruction = "CMD " + line
	fix.Change = finding.Change{Cmd: []string{"/bin/sh", "-c", line}}
	return fix
}
