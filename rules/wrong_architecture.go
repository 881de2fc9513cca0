package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// WrongArchitecture reports a program that is built for another CPU than the
// image says it runs on, or an image for another CPU than the platform has.
//
// Why it fails: the kernel answers ENOEXEC ("exec format error"), so nothing
// ever listens. It happens when a binary is copied from an arm64 laptop into
// an amd64 image; emulation on the laptop hides it.
//
// Fix: build the program for the image's architecture (Go: GOARCH, Docker:
// --platform and TARGETARCH).
var WrongArchitecture = &rule.Rule{
	ID:       "wrong-architecture",
	Title:    "the program is built for another CPU than the image or the platform",
	Severity: finding.Error,
	Needs:    rule.NeedsEither,
	After:    []*rule.Rule{CommandNotFound, CommandNotExecutable},
	Check:    checkWrongArchitecture,
}

func checkWrongArchitecture(p *rule.Pass) {
	if runs := p.Target.Architectures; len(runs) > 0 && p.Image.Architecture != "" && !slices.Contains(runs, p.Image.Architecture) {
		p.Report(finding.Finding{
			Basis:   finding.Predicted,
			Message: fmt.Sprintf("the image is for %s, and %s runs %s", p.Image.Architecture, platformName(p), strings.Join(runs, " and ")),
			Place:   finding.Place{Field: finding.FieldFrom},
			Fix:     &finding.Fix{Description: "build the image with --platform=linux/" + runs[0]},
		})
		return
	}
	if p.Run != nil && (p.Run.Exit == nil || p.Run.Exit.Code == 0) {
		return
	}
	for _, program := range []facts.Program{p.Launch.Program, p.Launch.Final} {
		if program.Architecture == "" || program.Architecture == p.Image.Architecture {
			continue
		}
		p.Report(finding.Finding{
			Message: fmt.Sprintf("%s is built for %s, but the image is for %s", program.Path, program.Architecture, p.Image.Architecture),
			Place:   where(p),
			Fix:     &finding.Fix{Description: fmt.Sprintf("build the program for %s, or the image with --platform=linux/%s", p.Image.Architecture, program.Architecture)},
		})
		return
	}
}
