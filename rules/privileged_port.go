package rules

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// PrivilegedPort reports a program that may not bind a port below 1024.
//
// Why it fails: an image with a USER other than root runs without the right to
// bind low ports. Docker grants it to everybody (it sets
// net.ipv4.ip_unprivileged_port_start to 0), so it works on a laptop; not
// every platform does. imglint takes it away where the platform does.
//
// Fix: listen on a port from 1024 up, such as 8080, and expose that.
var PrivilegedPort = &rule.Rule{
	ID:       "privileged-port",
	Title:    "a user other than root binds a port below 1024",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable, WrongArchitecture},
	Check:    checkPrivilegedPort,
}

// firstFree is the first port that every user may bind (Linux's default of
// net.ipv4.ip_unprivileged_port_start).
const firstFree = 1024

func checkPrivilegedPort(p *rule.Pass) {
	if p.Target.PrivilegedPorts != facts.No || isRoot(p.Image.Config.User) || passed(p) {
		return
	}
	evidence, severity := deniedBind(p), finding.Error
	if p.Run == nil { // the program's file may have the capability for it
		evidence, severity = predictedLowPort(p), finding.Warning
	}
	if evidence == nil {
		return
	}
	p.Report(finding.Finding{
		Severity: severity,
		Message:  fmt.Sprintf("%s runs as %s and may not bind a port below %d on %s", program(p), p.Image.Config.User, firstFree, platformName(p)),
		Place:    finding.Place{Field: finding.FieldUser, Words: p.Image.Config.User},
		Evidence: evidence,
		Fix:      freeFix(p),
	})
}

func isRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	return name == "" || name == "root" || name == "0"
}

// deniedBind is the line of the log in which the program says so.
func deniedBind(p *rule.Pass) []finding.Evidence {
	if p.Run == nil {
		return nil
	}
	for _, line := range p.Run.Log.Lines {
		text := strings.ToLower(line.Text)
		denied := strings.Contains(text, "permission denied") || strings.Contains(text, "permissionerror") || strings.Contains(text, "eacces")
		binds := strings.Contains(text, "bind") || strings.Contains(text, "listen") || strings.Contains(text, "socket") || strings.Contains(text, "address") || strings.Contains(text, "errno 13]")
		if denied && binds && mayBindLow(p) {
			return []finding.Evidence{{Kind: "log", Text: clip(line.Text, 300), At: line.T.Seconds()}}
		}
	}
	return nil
}

// predictedLowPort is the low port that a program will bind as the image's user.
func predictedLowPort(p *rule.Pass) []finding.Evidence {
	if user := p.Launch.Command.User; !predictable(p) || user != "" && isRoot(user) {
		return nil
	}
	for _, l := range predictedTCP(p) {
		if l.Port > 0 && l.Port < firstFree {
			return []finding.Evidence{{Kind: "read", Text: expected(p, l)}}
		}
	}
	return nil
}

// mayBindLow reports whether a low port is what the program was after: it
// exposes one, or is known to bind one.
func mayBindLow(p *rule.Pass) bool {
	for _, port := range exposedTCP(p) {
		if port < firstFree {
			return true
		}
	}
	for _, l := range predictedTCP(p) {
		if l.Port > 0 && l.Port < firstFree {
			return true
		}
	}
	return false
}

func freeFix(p *rule.Pass) *finding.Fix {
	if fix := remedy(p.Prediction.FixPort); fix != nil {
		return fix
	}
	return trying(&finding.Fix{Description: "listen on a port from 1024 up, such as 8080, and expose that one"}, p.Prediction.FixPort)
}
