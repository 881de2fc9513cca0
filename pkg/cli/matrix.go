package cli

import (
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
)

// platforms are those that --platform names: one, several with commas
// between them, or all.
func (f *flags) platforms() ([]*platform.Platform, error) {
	names := strings.Split(f.platform, ",")
	if f.platform == "all" {
		names = f.own.names()
	}
	var all []*platform.Platform
	seen := map[string]bool{}
	for _, name := range names {
		p, err := f.own.load(name)
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

// matrix writes one image's results as a matrix.
func (s *session) matrix(o *output, results []report.Result) {
	if o.err != nil || results[0].Err != nil {
		o.each(s.about(o), results[0])
		return
	}
	if o.wrote++; o.wrote > 1 {
		fmt.Fprintln(o.w)
	}
	o.err = report.MatrixText(o.w, results, s.about(o).Style)
}
