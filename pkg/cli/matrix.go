package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
)

// platforms are those that --platform names: one, several with commas
// between them, or all.
func (f *flags) platforms() ([]*platform.Platform, error) {
	names := strings.Split(f.platform, ",")
	if f.platform == "all" {
		names = platform.Names()
	}
	var all []*platform.Platform
	seen := map[string]bool{}
	for _, name := range names {
		p, err := platform.Load(name)
		if err != nil {
			return nil, usage("--platform: %w", err)
		}
		if !seen[p.ID] {
			seen[p.ID] = true
			all = append(all, p)
		}
	}
	return all, nil
}

// matrices checks every image for several platforms, one image after the
// other, and prints a matrix of each.
func (s *session) matrices(ctx context.Context, images []string, platforms []*platform.Platform) error {
	progress := s.progress()
	var all [][]report.Result
	var options []lint.Options // of each result
	s.results = nil
	for i, ref := range images {
		l := s.linterFor(i)
		results := l.LintAll(ctx, ref, platforms, progress)
		progress.Pause()
		if results[0].Err != nil {
			fmt.Fprintf(s.io.Err, "imglint: %s: %v\n", ref, results[0].Err)
			results = results[:1]
		}
		all, s.results = append(all, results), append(s.results, results...)
		for range results {
			options = append(options, s.options[i])
		}
		for _, o := range s.outputs {
			s.matrix(o, results)
		}
		if err := l.Close(); err != nil {
			fmt.Fprintf(s.io.Err, "imglint: not everything was removed: %v\n", err)
		}
	}
	progress.Close()
	s.options = options
	for _, o := range s.outputs {
		if o.format.Name == "json" && o.err == nil {
			o.err = report.MatrixJSON(o.w, all)
			o.format.All = nil
		}
		if err := o.finish(s.about(o), s.results); err != nil {
			return err
		}
	}
	if err := s.jobSummary(); err != nil {
		return err
	}
	return s.status(ctx)
}

// matrix writes one image's results to an output that takes them one by one.
func (s *session) matrix(o *output, results []report.Result) {
	switch {
	case o.err != nil || o.format.Each == nil:
	case o.format.Name == "text":
		if o.wrote++; o.wrote > 1 {
			fmt.Fprintln(o.w)
		}
		if results[0].Err == nil {
			o.err = report.MatrixText(o.w, results, s.about(o).Style)
		}
	default:
		for _, r := range results {
			o.each(s.about(o), r)
		}
	}
}
