package lint

import (
	"context"
	"slices"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// locate finds out whether the image was built from the Dockerfile at hand;
// nil if not.
func (c *check) locate(ctx context.Context) *facts.Dockerfile {
	if own, ok := c.image.(*unbuilt); ok {
		c.Dockerfile = own.file
		return own.at
	}
	file := c.Dockerfile
	if file.Name == "" {
		return c.recorded(ctx)
	}
	d, err := dockerfile.Match(ctx, file.Name, file.Text, c.image.Facts(), dockerfile.Options{})
	if err != nil {
		c.mismatch = err
		return c.recorded(ctx)
	}
	return d
}

// place points every finding at the lines that it is about, and leaves out
// the ignored ones.
func (c *check) place() {
	if c.mismatch != nil && c.Dockerfile.Explicit {
		c.notChecked("which line of "+c.Dockerfile.Name, "%s", c.mismatch)
	}
	if c.record.Name != "" {
		c.Dockerfile = c.record
	}
	for i := range c.findings {
		f := &c.findings[i]
		if c.elsewhere(f) || c.typed(f) {
			continue
		}
		f.Place = dockerfile.Place(c.facts.Dockerfile, c.facts.Image, f.Place)
		c.diff(f)
	}
	c.leaveOut()
	c.findings = slices.DeleteFunc(c.findings, func(f finding.Finding) bool {
		if !c.Ignore[f.Rule] {
			return false
		}
		c.ignored = append(c.ignored, f)
		return true
	})
	c.edits = c.edit()
}

// diff adds the edit of the Dockerfile that makes the fix, where it can be
// made exactly.
func (c *check) diff(f *finding.Finding) {
	if c.facts.Dockerfile == nil || f.Fix == nil || f.Fix.Instruction == "" {
		return
	}
	if c.overrides(instructionField(f)) {
		return // what is at fault stands elsewhere
	}
	edited, err := dockerfile.Edit(c.Dockerfile.Text, c.facts.Dockerfile, instructionField(f), f.Fix.Instruction)
	if err != nil {
		return
	}
	f.Fix.Diff = dockerfile.Diff(c.Dockerfile.Name, c.Dockerfile.Text, edited)
}

// instructionField is the field that a fix's instruction sets.
func instructionField(f *finding.Finding) finding.Field {
	change := f.Fix.Change
	switch {
	case change.Expose != nil:
		return finding.FieldExpose
	case change.Entrypoint != nil && change.Cmd == nil:
		return finding.FieldEntrypoint
	case change.Cmd != nil:
		return finding.FieldCmd
	case change.Env != nil:
		return finding.FieldEnv
	}
	return f.Place.Field
}
