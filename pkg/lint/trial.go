package lint

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/mend"
	"github.com/imglint/imglint/pkg/run"
)

// step is one finding's fix, on top of those before it.
type step struct {
	finding finding.Finding
	ways    []finding.Fix // the finding's own, then the others
	way     int
	// behind: the finding showed only with the steps before; rebased: its fix
	// was made for the image as the steps before leave it.
	behind, rebased bool
}

func (s step) fix() finding.Fix { return s.ways[s.way] }

// next goes on to the next way that can be run.
func (s *step) next() bool {
	for s.way++; s.way < len(s.ways); s.way++ {
		if !s.ways[s.way].Change.Empty() {
			return true
		}
	}
	return false
}

func isError(f finding.Finding) bool { return f.Severity == finding.Error }

// stepsOf are the ways out of findings, as far as they can be run.
func stepsOf(findings []finding.Finding, wanted func(finding.Finding) bool) []step {
	var steps []step
	for _, f := range findings {
		if f.Fix == nil || !wanted(f) {
			continue
		}
		s := step{finding: f, way: -1, ways: append([]finding.Fix{*f.Fix}, f.Fix.Others...)}
		if s.next() {
			steps = append(steps, s)
		}
	}
	return steps
}

// compatible leaves out the steps that change the command a second time: they
// show again, and their fix is then made on top of the first one's.
func compatible(steps []step) []step {
	changed := false
	return slices.DeleteFunc(steps, func(s step) bool {
		c := s.fix().Change
		again := c.Entrypoint != nil || c.Cmd != nil
		drop := again && changed
		changed = changed || again
		return drop
	})
}

// next is the image with what is to be tried; false: nothing is.
func (p *prover) next() (*check, bool) {
	if p.stage == stageDone || len(p.steps)+len(p.more) == 0 || !time.Now().Before(p.ends) {
		return nil, false
	}
	var changes []finding.Change
	for _, s := range slices.Concat(p.steps, p.more) {
		changes = append(changes, s.fix().Change)
	}
	t, err := p.changed(changes...)
	if err != nil {
		p.notChecked("whether the fix works", "%v", err)
		p.stage = stageDone
		return nil, false
	}
	t.thorough = p.stage == stageOthers
	t.facts.Target.BootWindow = min(t.facts.Target.BootWindow, p.longest)
	return t, true
}

// changed is the check of the image with changes, one after the other.
func (c *check) changed(changes ...finding.Change) (*check, error) {
	img := c.facts.Image
	t := &check{Options: c.Options.settled(), image: c.image, watch: c.watch, located: c.located, brief: true}
	for _, change := range changes {
		img.Config = apply(img.Config, change)
		t.edited = append(t.edited, change.Files...)
		if t.Workload != nil {
			t.Env = append(slices.Clone(t.Env), change.Env...)
		}
	}
	files, err := mend.Over(c.image.Files(), t.edited)
	if err == nil {
		t.replaced, err = replaced(files, t.edited)
	}
	if err != nil {
		return nil, err
	}
	t.facts = collect(img, files, t.Options)
	if target := &t.facts.Target; c.further && slices.Contains(target.Endpoint.Others, c.facts.Target.Endpoint.Port) {
		target.Endpoint = c.facts.Target.Endpoint
	}
	return t, nil
}

// replaced are the files of a run that has other ones than the image.
func replaced(files fs.FS, edits []finding.FileEdit) ([]run.File, error) {
	var all []run.File
	for _, e := range edits {
		if slices.ContainsFunc(all, func(f run.File) bool { return f.Path == e.Path }) {
			continue
		}
		name := strings.TrimPrefix(e.Path, "/")
		info, err := fs.Stat(files, name)
		if err != nil {
			return nil, fmt.Errorf("replace %s: %w", e.Path, err)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("replace %s: %w", e.Path, err)
		}
		f := run.File{Path: e.Path, Text: text, Mode: info.Mode()}
		if owned, ok := info.(interface{ Owner() (uid, gid int) }); ok {
			f.UID, f.GID = owned.Owner()
		}
		all = append(all, f)
	}
	return all, nil
}

func stillFails(left []finding.Finding) string {
	if len(left) == 0 {
		return "it was not answered"
	}
	return left[0].Message + " [" + left[0].Rule + "]"
}

// named is a fix in one line.
func named(fix finding.Fix) string {
	if fix.Instruction != "" {
		return strings.ReplaceAll(fix.Instruction, "\n", ", ")
	}
	for _, e := range fix.Change.Files {
		if e.Line > 0 {
			return fmt.Sprintf("%q in line %d of %s", e.New, e.Line, e.Path)
		}
		return fmt.Sprintf("mode %o of %s", e.Mode, e.Path)
	}
	return "the fix"
}

func proofText(e facts.Event) string {
	if e.Answer.Status == 0 {
		return answeredText(e)
	}
	return fmt.Sprintf("the image answered %d after %.1fs", e.Answer.Status, e.T.Seconds())
}
