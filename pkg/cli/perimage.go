package cli

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/platform"
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

// imageOptions are what a call comes to for one image.
type imageOptions struct {
	lint.Options
	platforms []*platform.Platform
	build     lint.Build // of a Dockerfile
}

// options are what the linter wants to know about one image; image is its
// entry in the config file, nil if there is none.
func (s *settings) options(ref string, image *config.Image) (imageOptions, error) {
	var o imageOptions
	f, err := s.flags(image)
	if err != nil {
		return o, err
	}
	if o.Options, _, err = f.options(s.getenv); err != nil {
		return o, err
	}
	if o.platforms, err = f.platforms(); err != nil {
		return o, err
	}
	if o.build, err = f.build(s.getenv); err != nil {
		return o, err
	}
	o.Interpreter = interpreter(s.program)
	o.Ignores, _ = s.ignores()
	o.Severities = s.file.Severities
	if image != nil {
		o.Command = image.Args
	}
	s.command(&o.Options, f)
	err = f.manifested(&o.Options, ref, s.getenv)
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
func (s *settings) each(images []string) ([]imageOptions, error) {
	all := make([]imageOptions, len(images))
	stoodIn := map[string]int{}
	for i, ref := range images {
		image := s.file.Image(ref)
		if names := s.standIns[ref]; stoodIn[ref] < len(names) {
			image = s.file.Image(names[stoodIn[ref]])
			stoodIn[ref]++
		}
		var err error
		if all[i], err = s.options(ref, image); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// linterFor is the linter with an image's own options. Its user closes it.
func (s *session) linterFor(i int) *lint.Linter {
	o := s.options[i]
	o.NotRun = s.notRun
	return &lint.Linter{Sources: s.places.of(o.build), Options: o.Options}
}

// remarks are what there is to say about ignores: those that ended, and those
// that ignored nothing although every image that they are for was looked at.
func (s *session) remarks() []string {
	hold, all := s.settings.ignores()
	for _, r := range s.results() {
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
	for _, result := range s.results() {
		if result.Facts == nil || r.Needs != rule.NeedsImage && result.Facts.Run == nil || hasIgnored(result, from, id) {
			return false
		}
	}
	return len(s.images) >= len(s.settings.file.Images)
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
