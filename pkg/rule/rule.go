// Package rule is the contract of a rule: a value with its documentation and
// a pure check over the facts of one image.
package rule

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Needs says what must have been collected before a rule can answer.
type Needs int

// The needs. The zero value is invalid.
const (
	NeedsImage  Needs = iota + 1 // the image as it was read
	NeedsRun                     // an observed start
	NeedsEither                  // speaks from a prediction and better from a run
)

// Rule is one check.
type Rule struct {
	ID       string           // kebab-case; names the problem, never the cure
	Title    string           // one line, lower case, no full stop
	Severity finding.Severity // the most severe it reports
	Needs    Needs
	// After are its causes: when one of them fires with at least the severity
	// of this rule's finding, this rule stays silent.
	After []*Rule
	// Check reports through the pass. It is pure and cannot fail.
	Check func(*Pass)
}

// Pass is the only door of a check: the facts in, findings out.
type Pass struct {
	*facts.Facts
	rule     *Rule
	findings []finding.Finding
}

// Report adds a finding. Rule, Severity and Basis are filled in when empty:
// from the rule, and observed when the image was run.
func (p *Pass) Report(f finding.Finding) {
	f.Rule = p.rule.ID
	if f.Severity == 0 {
		f.Severity = p.rule.Severity
	}
	if f.Basis == "" {
		f.Basis = finding.Predicted
		if p.Run != nil {
			f.Basis = finding.Observed
		}
	}
	p.findings = append(p.findings, f)
}

// Check runs one rule over the facts.
func Check(r *Rule, f *facts.Facts) []finding.Finding {
	p := &Pass{Facts: f, rule: r}
	if r.Needs == NeedsRun && f.Run == nil {
		return nil
	}
	r.Check(p)
	return p.findings
}

// CheckAll runs rules in the order given and leaves out the effects of causes
// that fired. Findings come in that order.
func CheckAll(rules []*Rule, f *facts.Facts) []finding.Finding {
	fired := map[string]finding.Severity{}
	var all []finding.Finding
	for _, r := range rules {
		for _, found := range Check(r, f) {
			if explained(r, found, fired) {
				continue
			}
			fired[r.ID] = max(fired[r.ID], found.Severity)
			all = append(all, found)
		}
	}
	return all
}

func explained(r *Rule, f finding.Finding, fired map[string]finding.Severity) bool {
	return slices.ContainsFunc(r.After, func(cause *Rule) bool {
		severity, ok := fired[cause.ID]
		return ok && severity >= f.Severity
	})
}

var idForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Validate refuses a list with an undocumented, unordered or duplicate rule:
// every cause must come before its effects.
func Validate(rules []*Rule) error {
	seen := map[string]bool{}
	for _, r := range rules {
		switch {
		case !idForm.MatchString(r.ID):
			return fmt.Errorf("rule %q: the id is not kebab-case", r.ID)
		case seen[r.ID]:
			return fmt.Errorf("rule %q: listed twice", r.ID)
		case r.Title == "", r.Severity == 0, r.Needs == 0, r.Check == nil:
			return fmt.Errorf("rule %q: title, severity, needs or check is missing", r.ID)
		}
		for _, cause := range r.After {
			if !seen[cause.ID] {
				return fmt.Errorf("rule %q: its cause %q must be listed before it", r.ID, cause.ID)
			}
		}
		seen[r.ID] = true
	}
	return nil
}
