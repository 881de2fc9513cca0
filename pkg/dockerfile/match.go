package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// MismatchError says that the image was not built from the Dockerfile.
type MismatchError struct {
	File string
	Step int    // of the target stage and those it is built from, FROM is 1; 0: no step is to blame
	Line int    // in the Dockerfile
	Want string // the Dockerfile's instruction
	Got  string // the history's; "" when it has none
	Why  string // where no step is to blame
}

// Error names the step that differs.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("this image was not built from %s: ", e.File)
	switch {
	case e.Why != "":
		return text + e.Why
	case e.Got == "":
		return text + fmt.Sprintf("step %d is not in its history (%s)", e.Step, e.Want)
	}
	return text + fmt.Sprintf("step %d differs (%s; the image has: %s)", e.Step, e.Want, e.Got)
}

// Match decides whether img was built from the Dockerfile, by aligning the
// image's history with the Dockerfile's instructions, last to first, and tells
// which instructions decided each field of the config. Without a target in o
// every stage is tried, the last first. A *MismatchError is the answer no.
func Match(ctx context.Context, file string, src []byte, img facts.Image, o Options) (*facts.Dockerfile, error) {
	o.File = file
	if img.OS != "" && o.OS == "" {
		o.OS, o.Architecture = img.OS, img.Architecture
	}
	f, err := read(src, o)
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile %q: %w", file, err)
	}
	last, err := f.stage(o.Target)
	if err != nil {
		return nil, fmt.Errorf("read Dockerfile %q: %w", file, err)
	}
	first := last
	if o.Target == "" {
		first = 0
	}
	var no error
	for target := last; target >= first; target-- {
		p := f.plan(target)
		mismatch := p.align(ctx, src, img, o)
		if mismatch == nil {
			if o.Target == "" && !p.last {
				o.Target = p.target
			}
			return p.dockerfile(o), nil
		}
		if no == nil {
			no = mismatch
		}
	}
	return nil, no
}

// align compares the end of the image's history with the plan.
func (p *plan) align(ctx context.Context, src []byte, img facts.Image, o Options) error {
	steps := p.recorded()
	switch {
	case !p.last && p.target == "":
		return &MismatchError{File: o.File, Why: "a stage without a name cannot be a target"}
	case len(img.History) == 0 || !described(img.History):
		return &MismatchError{File: o.File, Why: "the image has no build history to compare"}
	case len(steps) == 0 && !p.isBase(ctx, img, o):
		return &MismatchError{File: o.File, Why: "it has no instruction after FROM that could be compared"}
	}
	p.expect(ctx, src, steps, o)
	i := len(img.History) - 1
	for n := len(steps) - 1; n >= 0; n-- {
		i = skip(img.History, i, steps[n].verb)
		if i < 0 {
			return p.differs(o, n, steps[n], "")
		}
		if !steps[n].is(readEntry(img.History[i])) {
			return p.differs(o, n, steps[n], img.History[i].CreatedBy)
		}
		i--
	}
	if i = skip(img.History, i, ""); strings.EqualFold(p.base, "scratch") && i >= 0 {
		return &MismatchError{File: o.File, Why: fmt.Sprintf("the image has %d more steps, and FROM scratch leaves none", i+1)}
	}
	return nil
}

func described(history []facts.History) bool {
	for _, h := range history {
		if h.CreatedBy != "" {
			return true
		}
	}
	return false
}

// isBase tells whether a Dockerfile without instructions gave this image.
func (p *plan) isBase(ctx context.Context, img facts.Image, o Options) bool {
	if o.Base == nil {
		return false
	}
	base, err := o.Base(ctx, p.base)
	return err == nil && base.ID != "" && base.ID == img.ID
}

// recorded are the steps that leave an entry in the history: an ONBUILD does
// not, at least not with BuildKit.
func (p *plan) recorded() []*step {
	var steps []*step
	for i := range p.steps {
		if p.steps[i].verb != "ONBUILD" {
			steps = append(steps, &p.steps[i])
		}
	}
	return steps
}

// expect fills in what BuildKit would record, where that can be computed.
// Without it steps are compared by what the Dockerfile says.
func (p *plan) expect(ctx context.Context, src []byte, steps []*step, o Options) {
	o.Target = p.target
	if p.last {
		o.Target = ""
	}
	img, base, err := convert(ctx, src, o)
	if err != nil {
		return
	}
	tail := img.History[min(base.history, len(img.History)):]
	// A known base's own ONBUILD triggers come before the steps.
	if extra := len(tail) - len(steps); extra >= 0 {
		for i, s := range steps {
			s.history = tail[extra+i].CreatedBy
		}
	}
}

// skip leaves out entries that no instruction of the Dockerfile needs to have
// made: ONBUILD, and the LABEL that docker build --label adds.
func skip(history []facts.History, i int, verb string) int {
	for ; i >= 0; i-- {
		e := readEntry(history[i])
		if e.verb != "ONBUILD" && (e.verb != "LABEL" || verb == "LABEL") {
			break
		}
	}
	return i
}

func (p *plan) differs(o Options, n int, s *step, got string) error {
	e := &MismatchError{File: o.File, Step: n + 2, Line: s.at.Line, Want: s.describe()}
	if got != "" {
		e.Got = shorten(got)
	}
	return e
}

// shorten keeps a message to one readable line.
func shorten(text string) string {
	_, rest, ok := strings.Cut(text, "#(nop)")
	if ok {
		text = rest
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}

// IsMismatch reports whether err is Match's answer that the image was built
// from something else.
func IsMismatch(err error) bool {
	var mismatch *MismatchError
	return errors.As(err, &mismatch)
}
