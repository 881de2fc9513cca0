package lint

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// prover tries the fixes of one check, a start at a time.
type prover struct {
	*check
	whole   bool // also what does not fail the check
	ends    time.Time
	longest time.Duration
	trials  int
	stage   stage
	// steps are what is tried; in stageOthers, more is the last of them.
	steps, more []step
	proof       facts.Proof
	last        []finding.Finding // of the start that passed
}

// take judges a trial, and decides what is to be tried next.
func (p *prover) take(t *check, err error) {
	p.trials++
	if t.facts.Run == nil {
		p.unable(t, err)
		return
	}
	found(t.facts)
	again := rule.CheckAll(p.Rules, t.facts)
	if t.facts.Run.Doubt != "" && !slices.ContainsFunc(again, isError) {
		p.unable(t, errors.New(t.facts.Run.Doubt))
		return
	}
	if p.stage == stageOthers {
		p.settle(t.facts, again)
		return
	}
	v, _, _ := verdict(t.facts, again, false)
	left := slices.DeleteFunc(slices.Clone(again), func(f finding.Finding) bool { return !isError(f) })
	switch {
	case v == finding.Pass && p.stage == stageErrors && p.trials > 1:
		p.stage = stageAgain
	case v == finding.Pass:
		p.passed(t.facts, again)
	case p.stage == stageAgain:
		p.halfway(left)
	default:
		i := slices.IndexFunc(p.steps, func(s step) bool { return !p.cured(s.finding.Rule, left) })
		switch {
		case i >= 0:
			p.instead(i, left)
		case !p.deeper(left):
			p.halfway(left)
		}
	}
}

// cured reports whether a rule's finding is gone. One whose cause shows instead
// is only hidden.
func (p *prover) cured(id string, left []finding.Finding) bool {
	i := slices.IndexFunc(p.Rules, func(r *rule.Rule) bool { return r.ID == id })
	return !slices.ContainsFunc(left, func(f finding.Finding) bool {
		return f.Rule == id || i >= 0 && slices.ContainsFunc(p.Rules[i].After, func(cause *rule.Rule) bool { return cause.ID == f.Rule })
	})
}

// instead takes the next way of a step that did not help, or gives it up.
// What showed behind it may have been its own doing.
func (p *prover) instead(i int, left []finding.Finding) {
	s := p.steps[i]
	tried := facts.Tried{Rule: s.finding.Rule, Way: s.way, Text: "with " + named(s.fix()) + " it still fails: " + stillFails(left)}
	p.steps = slices.DeleteFunc(p.steps, func(other step) bool { return other.rebased })
	if i = slices.IndexFunc(p.steps, func(other step) bool { return other.finding.Rule == s.finding.Rule }); i < 0 {
		return
	}
	if !p.steps[i].next() {
		p.steps = slices.Delete(p.steps, i, i+1)
		p.proof.Tried = append(p.proof.Tried, tried)
		p.proof.Text = tried.Text
	}
}

// deeper adds the fixes of the errors that showed behind the others.
func (p *prover) deeper(left []finding.Finding) bool {
	more := compatible(stepsOf(left, isError))
	for i := range more {
		more[i].rebased = true
		if more[i].behind = !p.knows(more[i].finding.Rule); more[i].behind {
			more[i].finding.Evidence = append(more[i].finding.Evidence, p.behind())
		}
	}
	p.steps = append(p.steps, more...)
	return len(more) > 0
}

// behind tells which fixes brought a finding to light.
func (p *prover) behind() finding.Evidence {
	return finding.Evidence{Kind: "seen", Text: "shows once " + p.mended() + " is mended"}
}

func (p *prover) mended() string {
	var rules []string
	for _, s := range p.steps {
		if !slices.Contains(rules, s.finding.Rule) {
			rules = append(rules, s.finding.Rule)
		}
	}
	return strings.Join(rules, ", ")
}

// passed notes fixes that helped.
func (p *prover) passed(f *facts.Facts, again []finding.Finding) {
	e, _ := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe)
	text := "with this fix " + proofText(e)
	if len(p.steps) > 1 {
		text = "with the fixes of " + p.mended() + " together " + proofText(e)
	}
	p.proof.Passed, p.proof.Text = true, text
	for _, s := range p.steps {
		p.note(s, facts.Tried{Cured: true, Passed: true, Text: text})
	}
	p.last, p.stage = again, stageOthers
	p.settleNext()
}

// halfway notes fixes that cured what they are for, while another error that
// nothing mends stands behind it.
func (p *prover) halfway(left []finding.Finding) {
	p.stage = stageDone
	text := "with this fix it gets further and still fails: " + stillFails(left)
	p.proof.Text = text
	for _, s := range p.steps {
		p.note(s, facts.Tried{Cured: true, Text: text})
	}
	for _, f := range left {
		if !p.knows(f.Rule) {
			f.Evidence = append(f.Evidence, p.behind())
			p.proof.Behind = append(p.proof.Behind, f)
		}
	}
}

// knows reports whether a rule's finding is told already.
func (p *prover) knows(id string) bool {
	same := func(f finding.Finding) bool { return f.Rule == id }
	return slices.ContainsFunc(p.findings, same) || slices.ContainsFunc(p.proof.Behind, same)
}

// note keeps what came of a step.
func (p *prover) note(s step, t facts.Tried) {
	t.Rule, t.Way = s.finding.Rule, s.way
	fix := s.ways[min(s.way, len(s.ways)-1)]
	fix.Others = nil
	if s.rebased {
		t.Fix, t.Way = &fix, 0
	}
	if !s.behind {
		p.proof.Tried = append(p.proof.Tried, t)
		return
	}
	if p.knows(t.Rule) {
		return
	}
	f := s.finding
	f.Fix, t.Fix = &fix, nil
	outcome(&f, t)
	p.proof.Behind = append(p.proof.Behind, f)
}

// unable ends the proof. A fix that could not be tried stays unverified.
func (p *prover) unable(t *check, err error) {
	why := ""
	if err != nil {
		why = err.Error()
	} else if n := len(t.facts.NotChecked); n > 0 {
		why = t.facts.NotChecked[n-1].Why
	}
	p.notChecked("whether the fix works", "%s", why)
	p.stage = stageDone
}

// conclude hands over what was tried.
func (p *prover) conclude() {
	if len(p.proof.Tried)+len(p.proof.Behind) > 0 {
		p.facts.Proof = &p.proof
	}
}

// settleNext chooses what is tried of that which does not fail the check: what is
// left of it, together.
func (p *prover) settleNext() bool {
	p.more = nil
	if p.whole {
		p.more = compatible(stepsOf(p.last, func(f finding.Finding) bool {
			return p.worth(f) && !slices.ContainsFunc(p.proof.Tried, func(t facts.Tried) bool { return t.Rule == f.Rule })
		}))
	}
	for i := range p.more {
		p.more[i].rebased = len(p.steps) > 0
	}
	if len(p.more) == 0 {
		p.stage = stageDone
	}
	return len(p.more) > 0
}

// noteMost is how long a start may take that tries nothing but notes: whoever
// has an image that passes does not wait once more for a boot that is long.
const noteMost = 5 * time.Second

// worth reports whether a finding that does not fail the check is worth a start.
func (p *prover) worth(f finding.Finding) bool {
	if f.Severity == finding.Note {
		return p.facts.Run.Took.Duration() <= noteMost
	}
	return !isError(f)
}

// settle judges a trial of what does not fail the check. When several do harm
// together, the first one is tried alone; one alone goes through its ways.
func (p *prover) settle(f *facts.Facts, again []finding.Finding) {
	why := harm(f, again, p.more)
	switch {
	case why == "":
		e, _ := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe)
		for _, s := range p.more {
			p.note(s, facts.Tried{Cured: true, Passed: true, Text: "with this fix " + proofText(e)})
		}
		p.steps, p.last = append(p.steps, p.more...), again
		p.settleNext()
	case len(p.more) > 1:
		p.more = p.more[:1]
	default:
		tried := facts.Tried{Text: "with " + named(p.more[0].fix()) + " " + why}
		if s := p.more[0]; !p.more[0].next() {
			p.note(s, tried)
			p.settleNext()
		}
	}
}

// harm says what is wrong with a start with the steps, "" when nothing is.
func harm(f *facts.Facts, again []finding.Finding, steps []step) string {
	if v, _, _ := verdict(f, again, false); v != finding.Pass {
		return "it fails: " + stillFails(slices.DeleteFunc(slices.Clone(again), func(f finding.Finding) bool { return !isError(f) }))
	}
	for _, s := range steps {
		if slices.ContainsFunc(again, func(f finding.Finding) bool { return f.Rule == s.finding.Rule }) {
			return "nothing changes: " + s.finding.Message
		}
	}
	return ""
}
