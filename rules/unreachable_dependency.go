package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// UnreachableDependency reports a container that ended, or never listened,
// because it could not connect to something else: a database, a cache,
// another service.
//
// Why it fails: the program wants its dependency before it listens. On the
// platform the same happens when the address is wrong or the dependency is
// slow to come up. imglint runs images without a network unless --network
// names one, so it cannot tell whether the dependency would be there.
//
// Fix: let the program start without it and connect when it is needed, or
// retry; check the address that is configured on the platform.
var UnreachableDependency = &rule.Rule{
	ID:       "unreachable-dependency",
	Title:    "ended or hung connecting to another service",
	Severity: finding.Error,
	Needs:    rule.NeedsRun,
	After:    []*rule.Rule{NoCommand, CommandNotFound, CommandNotExecutable, WrongArchitecture, UnexpandedVariable, InteractiveCommand, OutOfMemory, MissingEnvironment},
	Check:    checkUnreachableDependency,
}

func checkUnreachableDependency(p *rule.Pass) {
	if passed(p) || p.Run.Exit == nil && len(tcp(p)) > 0 || p.Run.Exit != nil && p.Run.Exit.Code == 0 {
		return
	}
	m, ok := mentioned(patterns().Dependency, p.Run.Log.Lines)
	if !ok {
		return
	}
	what := m.words["host"]
	if port := m.words["port"]; port != "" {
		what += ":" + port
	}
	if what == "" {
		what = "another service"
	}
	f := finding.Finding{
		Message: fmt.Sprintf("%s cannot reach %s when it starts (%s)%s", program(p), what, clip(m.words["why"], 80), named(p, m.words["host"])),
		Place:   where(p),
		Evidence: []finding.Evidence{
			{Kind: "log", Text: clip(m.line.Text, 300), At: m.line.T.Seconds()},
		},
		Fix: &finding.Fix{Description: "start without it and retry in the background, and check the address on the platform; to try it here with the service, put it on a network of the engine and name that with --network"},
	}
	if exit := p.Run.Exit; exit != nil {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "seen", At: exit.T.Seconds(), Text: "the container exited with " + status(exit)})
	}
	p.Report(f)
}

// named says which of the image's variables holds the address.
func named(p *rule.Pass, host string) string {
	if host == "" {
		return ""
	}
	for _, kv := range p.Image.Config.Env {
		if key, value, _ := strings.Cut(kv, "="); strings.Contains(value, host) {
			return ", the address in " + key
		}
	}
	return ""
}
