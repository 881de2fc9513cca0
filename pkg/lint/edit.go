package lint

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/mend"
	"github.com/imglint/imglint/pkg/report"
)

// draft is a set of the user's files while fixes are made in them.
type draft struct {
	check *check
	files []report.EditedFile
	taken map[finding.Field]bool // whose instruction was edited
}

func (c *check) draft() *draft { return &draft{check: c, taken: map[finding.Field]bool{}} }

// edit makes the fixes of all errors in the user's files, one after the other.
// A fix that was run and did not help is not made.
func (c *check) edit() *report.Edit {
	e := &report.Edit{Recorded: c.record.Name != ""}
	d := c.draft()
	for i := range c.findings {
		f := &c.findings[i]
		if f.Severity != finding.Error {
			continue
		}
		if err := d.mend(f); err != nil {
			e.Left = append(e.Left, f.Rule)
			continue
		}
		e.Rules = append(e.Rules, f.Rule)
	}
	if e.Diff = d.diff(); e.Diff == "" {
		return nil
	}
	e.Files = d.files
	return e
}

// diff adds the edit of the user's files that makes the fix, where it can be
// made exactly.
func (c *check) diff(f *finding.Finding) {
	if f.Fix == nil {
		return
	}
	d := c.draft()
	if d.mend(f) == nil {
		f.Fix.Diff = d.diff()
	}
	for _, e := range f.Fix.Change.Files {
		if e.Line == 0 {
			continue
		}
		f.Fix.File, f.Fix.Line = e.Path, e.Line
		text, err := c.inImage(e.Path)
		if name, own, ok := c.ownFile(e.Path); ok {
			f.Fix.File, text, err = name, own, nil
		}
		if after, failed := mend.Apply(string(text), e); err == nil && failed == nil {
			f.Fix.Text = strings.TrimSpace(mend.Line(after, e.Line))
		}
	}
}

var errNoEdit = errors.New("nothing can be edited exactly")

// mend makes one finding's fix, whole or not at all.
func (d *draft) mend(f *finding.Finding) error {
	if f.Fix == nil || f.Fix.Verified != nil && !*f.Fix.Verified && !f.Fix.Partial {
		return errNoEdit
	}
	before, taken := slices.Clone(d.files), d.taken
	d.taken = map[finding.Field]bool{}
	for field := range taken {
		d.taken[field] = true
	}
	made, err := d.make(f)
	if err == nil && !made {
		err = errNoEdit
	}
	if err != nil {
		d.files, d.taken = before, taken
	}
	return err
}

func (d *draft) make(f *finding.Finding) (made bool, err error) {
	for _, line := range strings.Split(f.Fix.Instruction, "\n") {
		verb, _, _ := strings.Cut(line, " ")
		field := finding.Field(verb)
		switch {
		case line == "" || field == "COPY": // the mode of a file, see executable
			continue
		case d.check.overrides(field) || d.taken[field] && f.Fix.Verified == nil:
			return false, errNoEdit // what is at fault stands elsewhere, or is changed already
		}
		if err := d.instruction(field, line); err != nil {
			return false, err
		}
		made = true
	}
	for _, e := range f.Fix.Change.Files {
		if e.Line == 0 {
			err = d.executable(f, e)
		} else {
			err = d.line(e)
		}
		if err != nil {
			return false, err
		}
		made = true
	}
	return made, nil
}

// instruction gives a field of the Dockerfile its instruction.
func (d *draft) instruction(field finding.Field, instruction string) error {
	at := d.check.facts.Dockerfile
	if at == nil {
		return errNoEdit
	}
	file := d.open(d.check.Dockerfile.Name, d.check.Dockerfile.Text)
	edited, err := dockerfile.Edit(file.After, at, field, instruction)
	if errors.Is(err, dockerfile.ErrUnchanged) {
		return nil // an earlier fix holds this one
	}
	if err == nil {
		file.After, d.taken[field] = edited, true
	}
	return err
}

// line edits a line of a file that the Dockerfile copies.
func (d *draft) line(e finding.FileEdit) error {
	name, text, ok := d.check.ownFile(e.Path)
	if !ok {
		return fmt.Errorf("edit %s: %w", e.Path, errNoEdit)
	}
	file := d.open(name, text)
	after, err := mend.Apply(string(file.After), e)
	if err == nil {
		file.After = []byte(after)
	}
	return err
}

// executable lets the Dockerfile copy a file with its execute bits.
func (d *draft) executable(f *finding.Finding, e finding.FileEdit) error {
	at := d.check.facts.Dockerfile
	if at == nil || d.check.files().context == nil {
		return errNoEdit
	}
	file := d.open(d.check.Dockerfile.Name, d.check.Dockerfile.Text)
	edited, line, err := dockerfile.MakeExecutable(file.After, at, d.check.own.context, e.Path)
	if err == nil {
		file.After, f.Fix.Instruction = edited, line
	}
	return err
}

func (d *draft) open(name string, text []byte) *report.EditedFile {
	i := slices.IndexFunc(d.files, func(f report.EditedFile) bool { return f.File == name })
	if i < 0 {
		i = len(d.files)
		d.files = append(d.files, report.EditedFile{File: name, Before: text, After: text})
	}
	return &d.files[i]
}

// diff is the change of all files, as git apply takes it.
func (d *draft) diff() string {
	var b strings.Builder
	for _, f := range d.files {
		if !bytes.Equal(f.Before, f.After) {
			b.WriteString(dockerfile.Diff(f.File, f.Before, f.After))
		}
	}
	return b.String()
}
