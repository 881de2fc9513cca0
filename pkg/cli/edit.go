package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/imglint/imglint/pkg/report"
)

// edits prints the fixes of the errors (--diff) and writes them (--fix). What
// stands before a diff does not keep git apply from taking it.
func (s *session) edits() error {
	var faults []error
	seen := map[string]bool{}
	for _, r := range s.results() {
		if r.Edit == nil || seen[r.Edit.Diff] {
			continue
		}
		seen[r.Edit.Diff] = true
		if s.flags.diff {
			fmt.Fprintf(s.io.Out, "\n%s", r.Edit.Diff)
		}
		if s.flags.fix {
			faults = append(faults, s.write(*r.Edit))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return &statusError{ExitUnable, err}
	}
	return nil
}

// write changes the files if they are still those that were read.
func (s *session) write(e report.Edit) error {
	if e.Recorded {
		fmt.Fprintf(s.io.Err, "imglint: not fixed: the Dockerfile is known from the image's provenance only; name yours with --dockerfile\n")
		return nil
	}
	var names []string
	for _, f := range e.Files {
		text, err := os.ReadFile(f.File)
		if err != nil {
			return fmt.Errorf("fix %s: %w", f.File, err)
		}
		if !bytes.Equal(text, f.Before) {
			return fmt.Errorf("fix %s: it changed since it was read; call imglint again", f.File)
		}
	}
	for _, f := range e.Files {
		if bytes.Equal(f.Before, f.After) {
			continue
		}
		names = append(names, f.File)
		if err := writeWhole(f.File, f.After); err != nil {
			return fmt.Errorf("fix %s: %w", f.File, err)
		}
	}
	left := ""
	if len(e.Left) > 0 {
		left = "; left to you: " + strings.Join(e.Left, ", ")
	}
	fmt.Fprintf(s.io.Err, "imglint: changed %s for %s%s; build the image again\n", strings.Join(names, ", "), strings.Join(e.Rules, ", "), left)
	return nil
}
