package lint

import (
	"fmt"
	"slices"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/ignore"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/rule"
)

// reasons are what became of the ignores that say why.
type reasons struct {
	left   []report.Ignored
	unused []string
}

// leaveOut removes the findings that the user ignores, and remembers which
// ignores of the Dockerfile and the image were of no use.
func (c *check) leaveOut() {
	own := c.ownIgnores()
	used := map[string]bool{}
	all := append(slices.Clone(c.Ignores), own...)
	c.findings = slices.DeleteFunc(c.findings, func(f finding.Finding) bool {
		out := false
		for _, i := range all {
			if i.Covers(c.facts.Image.Ref, f) {
				c.left = append(c.left, report.Ignored{Finding: f, Reason: i.Reason, From: i.From})
				used[i.From+i.Rule], out = true, true
			}
		}
		if out {
			c.ignored = append(c.ignored, f)
		}
		return out
	})
	for _, i := range own {
		if !used[i.From+i.Rule] && c.asked(i.Rule) {
			c.unused = append(c.unused, fmt.Sprintf("%s: ignore %s is not needed: there is no such finding here", i.From, i.Rule))
		}
	}
}

// ownIgnores are those that the Dockerfile and the image bring along. What is
// wrong with them is told with the unused ones.
func (c *check) ownIgnores() []ignore.Ignore {
	found, errs := ignore.FromLabel(c.facts.Image.Config.Labels[ignore.Label])
	if c.facts.Dockerfile != nil {
		inline, more := ignore.Inline(c.facts.Dockerfile.File, c.Dockerfile.Text)
		found, errs = append(found, inline...), append(errs, more...)
	}
	for _, err := range errs {
		c.unused = append(c.unused, err.Error())
	}
	return slices.DeleteFunc(found, func(i ignore.Ignore) bool {
		known := slices.ContainsFunc(c.Rules, func(r *rule.Rule) bool { return r.ID == i.Rule })
		if !known {
			c.unused = append(c.unused, fmt.Sprintf("%s: ignore %s: there is no such rule", i.From, i.Rule))
		}
		return !known
	})
}

// asked reports whether a rule could answer: one that wants a run cannot when
// there was none.
func (c *check) asked(id string) bool {
	return slices.ContainsFunc(c.Rules, func(r *rule.Rule) bool {
		return r.ID == id && (r.Needs == rule.NeedsImage || c.facts.Run != nil)
	})
}

// graded gives the findings the severities that the user wants.
func (c *check) graded() []finding.Finding {
	for i, f := range c.findings {
		if s, ok := c.Severities[f.Rule]; ok {
			c.findings[i].Severity = s
		}
	}
	return c.findings
}
