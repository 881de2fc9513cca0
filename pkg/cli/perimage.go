package cli

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/rule"
	"github.com/imglint/imglint/rules"
)

// named returns the images of the config file, for a call that names none.
func (s *settings) named(arguments []string) []string {
	if len(arguments) > 0 {
		return arguments
	}
	for _, i := range s.file.Images {
		arguments = append(arguments, i.Name)
	}
	return arguments
}

// options are what the linter wants to know about one image.
func (s *settings) options(ref string) (lint.Options, error) {
	image := s.file.Image(ref)
	if name, ok := s.standIns[ref]; ok {
		image = s.file.Image(name)
	}
	f, err := s.flags(image)
	if err != nil {
		return lint.Options{}, err
	}
	o, _, err := f.options(s.getenv)
	if err != nil {
		return o, err
	}
	o.Interpreter = interpreter(s.program)
	o.Ignores, _ = s.ignores()
	o.Severities = s.file.Severities
	if image != nil {
		o.Command = image.Args
	}
	s.command(&o, f)
	err = f.manifested(&o, ref)
	return o, err
}

// interpreter runs scripts in a process of its own when it can.
func interpreter(program string) launch.Interpreter {
	if program == "" {
		return sealed.Here{}
	}
	return sealed.Child{Program: program}
}

// each returns the options of every image.
func (s *settings) each(images []string) ([]lint.Options, error) {
	all := make([]lint.Options, len(images))
	for i, ref := range images {
		var err error
		if all[i], err = s.options(ref); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// linterFor is the linter with an image's own options. Its user closes it.
func (s *session) linterFor(i int) *lint.Linter {
	o := s.options[i]
	o.NotRun = s.linter.Options.NotRun
	return &lint.Linter{Sources: s.linter.Sources, Options: o}
}

// remarks are what there is to say about ignores: those that ended, and those
// that ignored nothing although every image that they are for was looked at.
func (s *session) remarks() []string {
	hold, all := s.settings.ignores()
	for _, r := range s.results {
		all = append(all, r.Unused...)
	}
	for _, i := range hold {
		if s.useless(i.From, i.Rule) {
			all = append(all, fmt.Sprintf("%s: ignore %s is not needed: there is no such finding", i.From, i.Rule))
		}
	}
	return all
}

func (s *session) useless(from, id string) bool {
	r := rules.Find(id)
	for _, result := range s.results {
		if result.Facts == nil || r.Needs != rule.NeedsImage && result.Facts.Run == nil || hasIgnored(result, from, id) {
			return false
		}
	}
	return len(s.results) >= len(s.settings.file.Images)
}

func hasIgnored(r report.Result, from, id string) bool {
	for _, i := range r.Ignored {
		if i.From == from && i.Rule == id {
			return true
		}
	}
	return false
}

// remark prints the remarks where a person reads them.
func (s *session) remark() {
	if s.flags.quiet {
		return
	}
	for _, text := range append(s.remarks(), s.suggestions()...) {
		fmt.Fprintf(s.io.Err, "imglint: %s\n", strings.TrimSpace(text))
	}
}
