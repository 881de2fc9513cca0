package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// LoopbackBind reports a server that listens on 127.0.0.1, ::1 or localhost
// only.
//
// Why it fails: the loopback address is inside the container. The platform
// asks from outside, at the container's own address, where the connection is
// refused. A curl inside the container answers, which hides the problem.
//
// Fix: listen on 0.0.0.0 (all interfaces). Many servers do not by default:
// gunicorn, uvicorn, flask, Django's runserver.
var LoopbackBind = &rule.Rule{
	ID:       "loopback-bind",
	Title:    "listens on the loopback address only",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, WrongArchitecture, InteractiveCommand, Daemonizes, OutOfMemory, ExitsAtOnce},
	Check:    checkLoopbackBind,
}

func checkLoopbackBind(p *rule.Pass) {
	if passed(p) {
		checkedInside(p)
		return
	}
	if p.Run == nil {
		predictLoopbackBind(p)
		return
	}
	listeners := tcp(p)
	if p.Run.Exit != nil || len(listeners) == 0 {
		return
	}
	if here := on(listeners, p.Target.Endpoint.Port); len(here) > 0 {
		listeners = here
	}
	for _, l := range listeners {
		if l.Scope() != facts.ScopeLoopback {
			return
		}
	}
	l, _ := answering(p, listeners)
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("%s listens on %s, which nothing outside the container can reach", owner(p, l), l.Address()),
		Detail:   origin(reason(p, l.Port)),
		Place:    bindPlace(p, reason(p, l.Port)),
		Evidence: []finding.Evidence{sight(p, l)},
		Fix:      publicFix(p, l.Port),
	})
}

// checkedInside is for platforms whose check reaches 127.0.0.1.
func checkedInside(p *rule.Pass) {
	here := on(tcp(p), p.Target.Endpoint.Port)
	if !p.Target.LoopbackReached || len(here) == 0 || len(public(here)) > 0 {
		return
	}
	l := here[0]
	if l.Scope() != facts.ScopeLoopback {
		return
	}
	f := finding.Finding{
		Severity: finding.Note,
		Message:  fmt.Sprintf("%s listens on %s: %s asks there, other platforms do not reach it", owner(p, l), l.Address(), platformName(p)),
		Place:    bindPlace(p, reason(p, l.Port)),
		Evidence: []finding.Evidence{sight(p, l)},
		Fix:      publicFix(p, l.Port),
	}
	if !p.Target.LoopbackServed {
		f.Severity = finding.Warning
		f.Message = fmt.Sprintf("%s listens on %s: the check of %s is made inside and passes, but its users' requests come from outside and will not arrive", owner(p, l), l.Address(), platformName(p))
	}
	p.Report(f)
}

func predictLoopbackBind(p *rule.Pass) {
	if p.Target.LoopbackReached {
		return
	}
	if !predictable(p) || p.Launch.Ends != "" || p.Prediction.Daemonizes == facts.Yes {
		return
	}
	listens := predictedTCP(p)
	for _, l := range listens {
		if l.Scope != facts.ScopeLoopback {
			return
		}
	}
	if len(listens) == 0 {
		return
	}
	l := listens[0]
	p.Report(finding.Finding{
		Message:  fmt.Sprintf("%s will listen on %s, which nothing outside the container can reach", program(p), listenAddress(l)),
		Detail:   origin(l),
		Place:    bindPlace(p, l),
		Evidence: []finding.Evidence{{Kind: "read", Text: expected(p, l)}},
		Fix:      publicFix(p, l.Port),
	})
}

// reason is the predicted listener that was seen, empty if there was none.
func reason(p *rule.Pass, port int) facts.Listen {
	for _, l := range predictedTCP(p) {
		if l.Port == port && l.Scope == facts.ScopeLoopback {
			return l
		}
	}
	return facts.Listen{}
}

// origin says where the loopback address comes from.
func origin(l facts.Listen) string {
	switch {
	case l.HostFrom == "":
		return ""
	case strings.HasSuffix(l.HostFrom, "default"):
		return fmt.Sprintf("%s is %s", l.HostFrom, listenAddress(l))
	}
	return fmt.Sprintf("%s says %s", l.HostFrom, l.Host)
}

// bindPlace points at the option or the line of a file that holds the address,
// if there is one.
func bindPlace(p *rule.Pass, l facts.Listen) finding.Place {
	place := where(p)
	if strings.HasPrefix(l.HostFrom, "-") {
		place.Words = l.HostFrom
	}
	if file, line, ok := fileLine(l.HostFrom); ok {
		return finding.Place{Field: place.Field, Path: file, Line: line, Words: l.Host}
	}
	return place
}

// publicHints tell how to bind all interfaces in programs' own code.
var publicHints = map[string]string{
	"node":   "server.listen(%d, '0.0.0.0')",
	"nodejs": "server.listen(%d, '0.0.0.0')",
}

func publicFix(p *rule.Pass, port int) *finding.Fix {
	if fix := remedy(p.Prediction.FixPublic); fix != nil {
		return fix
	}
	text := fmt.Sprintf("make %s listen on 0.0.0.0:%d instead of localhost", program(p), port)
	if hint, ok := publicHints[p.Prediction.Server]; ok {
		text += ", in its code: " + fmt.Sprintf(hint, port)
	}
	return trying(&finding.Fix{Description: text}, p.Prediction.FixPublic)
}
