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

// write changes the file if it is still the one that was read.
func (s *session) write(e report.Edit) error {
	if e.Recorded {
		fmt.Fprintf(s.io.Err, "imglint: not fixed: the Dockerfile is known from the image's provenance only; name yours with --dockerfile\n")
		return nil
	}
	text, err := os.ReadFile(e.File)
	if err != nil {
		return fmt.Errorf("fix %s: %w", e.File, err)
	}
	if !bytes.Equal(text, e.Before) {
		return fmt.Errorf("fix %s: it changed since it was read; call imglint again", e.File)
	}
	if err := writeWhole(e.File, e.After); err != nil {
		return fmt.Errorf("fix %s: %w", e.File, err)
	}
	left := ""
	if len(e.Left) > 0 {
		left = "; left to you: " + strings.Join(e.Left, ", ")
	}
	fmt.Fprintf(s.io.Err, "imglint: changed %s for %s%s; build the image again\n", e.File, strings.Join(e.Rules, ", "), left)
	return nil
}
