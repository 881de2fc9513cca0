package rules

import (
	"fmt"
	"path"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// BackgroundProcess reports a server in the background behind a command that
// only keeps the container alive: tail -f, sleep infinity.
//
// Why it matters: the platform watches the first process. When the server
// dies, tail lives on: health checks fail, but the container counts as running
// and is not restarted. SIGTERM does not reach the server either.
//
// Fix: run the server in the foreground as the last command, with exec.
var BackgroundProcess = &rule.Rule{
	ID:       "background-process",
	Title:    "the server runs behind a command that only keeps the container alive",
	Severity: finding.Warning,
	Needs:    rule.NeedsImage,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, Daemonizes, ExitsAtOnce},
	Check:    checkBackgroundProcess,
}

// idlers are programs that keep a container alive and do nothing else.
var idlers = []string{"tail", "sleep", "pause"}

func checkBackgroundProcess(p *rule.Pass) {
	l := p.Launch
	if !certain(p) || l.Ends != "" || !slices.Contains(idlers, path.Base(l.Command.Name())) {
		return
	}
	server := backgroundServer(p)
	if server == "" {
		return
	}
	p.Report(finding.Finding{
		Basis: finding.Predicted,
		Message: fmt.Sprintf("the container lives as long as %q, not as %s: when that dies, nothing restarts it",
			commandLine(l.Command.Words()), server),
		Place: where(p),
		Fix:   &finding.Fix{Description: fmt.Sprintf("run %s in the foreground as the last command, with exec", server)},
	})
}

// backgroundServer names what runs behind the idler, "" when nothing does.
func backgroundServer(p *rule.Pass) string {
	if n := len(p.Launch.Background); n > 0 && p.Launch.Background[n-1].Name() != "" {
		return path.Base(p.Launch.Background[n-1].Name())
	}
	if len(p.Prediction.Listens) == 0 {
		return ""
	}
	// What listens was left running by one of the commands before.
	for _, c := range slices.Backward(p.Launch.Before) {
		if name := path.Base(c.Name()); c.Name() != "" {
			return serviceName(c, name)
		}
	}
	return ""
}

func serviceName(c facts.Command, name string) string {
	if words := c.Words(); name == "service" && len(words) > 1 {
		return words[1]
	}
	return name
}
