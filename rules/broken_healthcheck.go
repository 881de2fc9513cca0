package rules

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// BrokenHealthcheck reports a HEALTHCHECK that cannot work: its program is
// not in the image, most often curl, or it fails while the application answers.
//
// Why it fails: most platforms' release checks do not read HEALTHCHECK, but
// Docker, Compose, Swarm and the platforms built on them do (--platform docker,
// compose and coolify make an error of it): a container whose
// check fails is unhealthy, gets no traffic, is stopped or replaced, and what
// depends on it never starts.
//
// Fix: ask the port that answers, with a program that the image has (wget in
// Alpine and busybox, python, node), or remove HEALTHCHECK where the platform
// asks by itself. imglint runs it in the container once the application has
// answered: as the image's user, in its directory, three times at most.
var BrokenHealthcheck = &rule.Rule{
	ID:       "broken-healthcheck",
	Title:    "the image's HEALTHCHECK cannot work",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	Check:    checkBrokenHealthcheck,
}

func checkBrokenHealthcheck(p *rule.Pass) {
	if p.Run == nil || p.Run.Healthcheck == nil {
		predictHealthcheck(p)
		return
	}
	r := p.Run.Healthcheck
	if r.Code == 0 || !passed(p) {
		return
	}
	f := finding.Finding{
		Severity: gravity(p),
		Place:    finding.Place{Field: finding.FieldHealthcheck},
		Evidence: []finding.Evidence{{Kind: "seen", At: r.T.Seconds(), Text: commandLine(r.Argv) + " " + checkEnd(r)}},
	}
	lines := strings.Split(r.Output, "\n")
	for _, line := range lines[max(0, len(lines)-checkLines):] {
		if line = strings.TrimSpace(line); line != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "log", Text: clip(line, 300)})
		}
	}
	describeCheck(p, r, &f)
	p.Report(f)
}

// predictHealthcheck reports a program that is certainly not in the image.
func predictHealthcheck(p *rule.Pass) {
	program := p.Launch.Healthcheck
	if program == nil || program.Found != facts.No || program.Path == "" {
		return
	}
	f := finding.Finding{Severity: gravity(p), Basis: finding.Predicted, Place: finding.Place{Field: finding.FieldHealthcheck}}
	lackingProgram(&f, path.Base(program.Path))
	p.Report(f)
}

// gravity: where the platform goes by HEALTHCHECK, it is the health check.
func gravity(p *rule.Pass) finding.Severity {
	if p.Target.Healthcheck {
		return finding.Error
	}
	return finding.Warning
}

// lackingProgram says that the check's program is not in the image.
func lackingProgram(f *finding.Finding, name string) {
	f.Message = fmt.Sprintf("HEALTHCHECK runs %s, which is not in the image: the container will never be healthy", name)
	f.Place.Words = name
	f.Fix = &finding.Fix{Description: fmt.Sprintf("install %s, check with a program that the image has, or remove HEALTHCHECK", name)}
}

// checkLines is how much is shown of what a check says: the end, where
// tracebacks have their cause.
const checkLines = 3

// checkEnd says how the check ended.
func checkEnd(r *facts.CheckResult) string {
	if r.TimedOut {
		return "did not end within its timeout of " + seconds(r.Took)
	}
	return fmt.Sprintf("exited with code %d", r.Code)
}

// describeCheck finds the cause: a program that is missing, a port where
// nobody is, or what the check itself says.
func describeCheck(p *rule.Pass, r *facts.CheckResult, f *finding.Finding) {
	endpoint := p.Target.Endpoint.Port
	if name := missingProgram(r); name != "" {
		lackingProgram(f, name)
		return
	}
	if port := otherPort(p, r.Argv); port != 0 {
		f.Message = fmt.Sprintf("HEALTHCHECK asks port %d, where nothing listens; %s listens on %d", port, program(p), endpoint)
		f.Place.Words = strconv.Itoa(port)
		f.Fix = &finding.Fix{Description: fmt.Sprintf("let HEALTHCHECK ask port %d", endpoint)}
		return
	}
	f.Message = fmt.Sprintf("HEALTHCHECK %s while port %d answers: the container will never be healthy", checkEnd(r), endpoint)
	f.Fix = &finding.Fix{Description: fmt.Sprintf("make HEALTHCHECK succeed when port %d answers, within its timeout", endpoint)}
}

// Statuses of shells and engines for a program that was not found, or could
// not be executed.
const checkNotExecutable, checkNotFound = 126, 127

// notFoundForms are what shells and engines say about a missing program, its
// name in the first group: dash, busybox, bash, runc.
var notFoundForms = []*regexp.Regexp{
	regexp.MustCompile(`(?:^|: )([\w./+-]+): not found`),
	regexp.MustCompile(`(?:^|: )([\w./+-]+): (?:command not found|No such file or directory)`),
	regexp.MustCompile(`exec: "([^"]+)": (?:executable file not found|stat|no such file)`),
}

// missingProgram is the program that the check wanted and did not find.
func missingProgram(r *facts.CheckResult) string {
	if r.Code == checkNotExecutable && !strings.Contains(r.Output, "not found") && !strings.Contains(r.Output, "no such file") {
		return ""
	}
	for _, form := range notFoundForms {
		if m := form.FindStringSubmatch(r.Output); m != nil {
			return path.Base(m[1])
		}
	}
	if r.Code == checkNotFound && len(r.Argv) > 0 {
		return path.Base(r.Argv[0])
	}
	return ""
}

// localAddress finds what the check asks, with the port where one is written.
var localAddress = regexp.MustCompile(`(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\])(?:[: ](\d{1,5}))?`)

// otherPort is the port that the check's words name and nobody listens on; 0
// if there is none.
func otherPort(p *rule.Pass, argv []string) int {
	m := localAddress.FindStringSubmatch(strings.Join(argv, " "))
	if m == nil {
		return 0
	}
	port, err := strconv.Atoi(m[1])
	if err != nil || port == 0 || len(on(tcp(p), port)) > 0 {
		return 0
	}
	return port
}
