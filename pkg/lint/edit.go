package lint

import (
	"bytes"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

// edit makes the fixes of all errors in the Dockerfile, one after the other.
// A fix that was run and did not help is not made.
func (c *check) edit() *report.Edit {
	if c.facts.Dockerfile == nil {
		return nil
	}
	e := &report.Edit{File: c.Dockerfile.Name, Recorded: c.record.Name != "", Before: c.Dockerfile.Text, After: c.Dockerfile.Text}
	for i := range c.findings {
		f := &c.findings[i]
		if f.Severity != finding.Error {
			continue
		}
		text, ok := c.mend(f, e.After)
		if !ok {
			e.Left = append(e.Left, f.Rule)
			continue
		}
		e.After = text
		e.Rules = append(e.Rules, f.Rule)
	}
	if bytes.Equal(e.Before, e.After) {
		return nil
	}
	e.Diff = dockerfile.Diff(e.File, e.Before, e.After)
	return e
}

// mend makes one finding's fix in a text; false when it cannot be made there.
func (c *check) mend(f *finding.Finding, text []byte) ([]byte, bool) {
	if f.Fix == nil || f.Fix.Instruction == "" || f.Fix.Verified != nil && !*f.Fix.Verified {
		return nil, false
	}
	edited, err := dockerfile.Edit(text, c.facts.Dockerfile, instructionField(f), f.Fix.Instruction)
	return edited, err == nil
}
