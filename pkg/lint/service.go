package lint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/mend"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
)

// servicesOf lists what the platform starts from the image: the services of
// its Procfile or the one that was asked for, else the image's own command,
// which has no name.
func servicesOf(img Image, o Options) ([]platform.Service, error) {
	if o.overrides(finding.FieldCmd) && o.Service == "" {
		return []platform.Service{{}}, nil // what was typed is what is to run
	}
	services, err := o.Platform.Services(img.Files())
	if errors.Is(err, facts.ErrNotExamined) {
		err = nil // an image that is not read whole has no Procfile that can be told
	}
	if err != nil {
		return nil, err
	}
	if o.Service == "" {
		if len(services) == 0 {
			return []platform.Service{{}}, nil
		}
		return services, nil
	}
	var names []string
	for _, s := range services {
		if s.Name == o.Service {
			return []platform.Service{s}, nil
		}
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("choose service %q: %w", o.Service, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("choose service %q: the Procfile names %s", o.Service, strings.Join(names, ", "))
}

// asService is the image as the platform starts it for the service.
func asService(config facts.Config, s platform.Service) facts.Config {
	if s.Name == "" {
		return config
	}
	config.Entrypoint, config.Cmd = s.Argv(config.Entrypoint)
	return config
}

// elsewhere places a finding about the command at the Procfile's line, and
// turns its fix into that line, when it is that which runs.
func (c *check) elsewhere(f *finding.Finding) bool {
	if c.Workload != nil {
		return c.inManifest(f)
	}
	s := c.service
	if s.Name == "" || f.Place.Field != finding.FieldCmd {
		return false
	}
	source := s.Name + ": " + s.Line
	f.Place = finding.Place{Field: f.Place.Field, Words: f.Place.Words, File: s.File, Line: s.Number, EndLine: s.Number, Source: source}
	if name, _, ok := c.ownFile(s.File); ok {
		f.Place.Path, f.Place.File = s.File, name
	}
	if at := strings.Index(source, f.Place.Words); f.Place.Words != "" && at >= 0 {
		f.Place.Column, f.Place.EndColumn = at+1, at+1+len(f.Place.Words)
	}
	if f.Fix != nil && len(f.Fix.Change.Cmd) > 0 {
		c.inProcfile(f.Fix)
	}
	return true
}

// inProcfile turns a fix of the command into one of the Procfile's line.
func (c *check) inProcfile(fix *finding.Fix) {
	s, command := c.service, fix.Change.Cmd[len(fix.Change.Cmd)-1] // what the platform's shell runs
	if len(c.facts.Image.Config.Entrypoint) > 0 {
		words := make([]string, len(fix.Change.Cmd))
		for i, w := range fix.Change.Cmd {
			words[i] = quoted(w)
		}
		command = strings.Join(words, " ")
	}
	fix.Instruction, fix.Change = s.Name+": "+command, finding.Change{}
	text, err := c.inImage(s.File)
	if _, own, ok := c.ownFile(s.File); ok {
		text, err = own, nil
	}
	at := strings.Index(mend.Line(string(text), s.Number), s.Line)
	if err == nil && at >= 0 {
		edit := finding.FileEdit{Path: s.File, Line: s.Number, Column: at + 1, Old: s.Line, New: command}
		fix.Instruction, fix.Change.Files = "", []finding.FileEdit{edit}
	}
}

// neverListens is the rule whose finding is no fault of a service without an
// endpoint; nor are those about its port.
const neverListens = "never-listens"

var aboutEndpoint = []string{neverListens, "missing-expose", "empty-expose", "udp-only-expose"}

// withEndpoint are the names of services that surely have one.
var withEndpoint = []string{"web", "cmd"}

// merged makes one result of those of an image's services: a release fails if
// one of them does. Which services have an endpoint is not in the image, so
// one that only does not listen is taken for a worker.
func merged(services []report.Result) report.Result {
	worst := services[0]
	for _, s := range services {
		if weight[s.Verdict] > weight[worst.Verdict] {
			worst = s
		}
	}
	result := worst
	result.Findings = nil
	for _, s := range services {
		if s.Facts == nil {
			return s
		}
		for _, f := range s.Findings {
			f.Message = "service " + s.Facts.Target.Service + ": " + f.Message
			result.Findings = append(result.Findings, f)
		}
	}
	result.Reason = "service " + worst.Facts.Target.Service + ": " + worst.Reason
	return result
}

// weight orders verdicts: a worker, whose verdict is not known, hides nothing.
var weight = map[finding.Verdict]int{finding.Unknown: 1, finding.Pass: 2, finding.Fail: 3}

// idle turns the error of a service that listens nowhere into a note: it may
// have no endpoint.
func idle(r *report.Result) {
	if r.Facts == nil || r.Facts.Target.Service == "" || slices.Contains(withEndpoint, r.Facts.Target.Service) || listens(r.Facts.Run) {
		return
	}
	var silent *finding.Finding
	for i := range r.Findings {
		f := &r.Findings[i]
		switch {
		case f.Severity != finding.Error:
		case !slices.Contains(aboutEndpoint, f.Rule):
			return
		case silent == nil || f.Rule == neverListens:
			silent = f
		}
	}
	if silent == nil {
		return
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f finding.Finding) bool {
		return f.Severity == finding.Error && f.Rule != silent.Rule
	})
	silent = &r.Findings[slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Severity == finding.Error })]
	silent.Severity = finding.Note
	silent.Message += "; a service without an endpoint need not"
	r.Verdict, r.Reason = finding.Unknown, "it listens nowhere, which is right for a service without an endpoint: that one is not checked"
	if r.Facts.Run == nil {
		r.Reason = "the image does not say whether the service has an endpoint: one without is not checked"
	}
}

// listens reports whether anything in the container waits for connections.
func listens(r *facts.Run) bool {
	return r != nil && slices.ContainsFunc(r.Listeners(), func(l facts.Listener) bool { return l.Network == "tcp" })
}

// beforeRelease says which commands of the image's release file are not run.
func beforeRelease(files fs.FS, p *platform.Platform) []finding.NotChecked {
	name, commands, err := p.BeforeRelease(files)
	switch {
	case errors.Is(err, facts.ErrNotExamined):
		return nil
	case err != nil:
		return []finding.NotChecked{{What: "what runs before the release", Why: err.Error()}}
	case len(commands) == 0:
		return nil
	}
	return []finding.NotChecked{{
		What: fmt.Sprintf("what runs before the release (%s)", strings.Join(commands, "; ")),
		Why:  fmt.Sprintf("%s starts it in a container of its own, because of %s, and stops the release when it fails", p.Title, name),
	}}
}
