package lint

import (
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// mark writes the proof's outcome on the findings, and adds those that it
// brought to light. A way that is a fix only once it helped is not told
// otherwise.
func (c *check) mark() {
	if proof := c.facts.Proof; proof != nil {
		for i := range c.findings {
			f := &c.findings[i]
			at := slices.IndexFunc(proof.Tried, func(t facts.Tried) bool { return t.Rule == f.Rule })
			switch {
			case f.Fix == nil:
			case at >= 0:
				outcome(f, proof.Tried[at])
			case len(proof.Tried) == 0 && isError(*f) && !f.Fix.Change.Empty(): // recorded as one for all
				outcome(f, facts.Tried{Rule: f.Rule, Cured: true, Passed: proof.Passed, Text: proof.Text})
			}
		}
		c.findings = slices.Concat(c.findings, proof.Behind)
		slices.SortStableFunc(c.findings, func(a, b finding.Finding) int { return int(b.Severity - a.Severity) })
	}
	for i := range c.findings {
		if fix := c.findings[i].Fix; fix != nil {
			fix.Others = nil
		}
	}
}

// outcome writes what came of a finding's fix on it.
func outcome(f *finding.Finding, t facts.Tried) {
	if t.Fix != nil {
		fix := *t.Fix
		f.Fix = &fix
	}
	if t.Way > 0 && t.Way <= len(f.Fix.Others) {
		f.Fix = &f.Fix.Others[t.Way-1]
	}
	if at := f.Fix.Change.Files; t.Way > 0 && t.Passed && f.Place.Command && len(at) > 0 && at[0].Line > 0 {
		// What was tried and helped is where the cause stands.
		f.Place = finding.Place{Field: f.Place.Field, Path: at[0].Path, Line: at[0].Line, Words: at[0].Old}
	}
	passed := t.Passed
	f.Fix.Verified, f.Fix.Proof, f.Fix.Partial = &passed, t.Text, t.Cured && !t.Passed
	if !t.Cured {
		f.Fix.Description = "mend it by hand: what imglint tried did not help"
		f.Fix.Instruction, f.Fix.Change = "", finding.Change{}
	}
}

// apply returns a config with a change's overrides.
func apply(config facts.Config, change finding.Change) facts.Config {
	if change.Entrypoint != nil {
		config.Entrypoint = change.Entrypoint
	}
	if change.Cmd != nil {
		config.Cmd = change.Cmd
	}
	if change.StopSignal != "" {
		config.StopSignal = change.StopSignal
	}
	for _, kv := range change.Env {
		key, _, _ := strings.Cut(kv, "=")
		config.Env = slices.DeleteFunc(slices.Clone(config.Env), func(old string) bool {
			return strings.HasPrefix(old, key+"=")
		})
		config.Env = append(config.Env, kv)
	}
	if change.Expose != nil {
		config.Exposed = nil
		for _, text := range change.Expose {
			if port, err := facts.ParsePort(text); err == nil {
				config.Exposed = append(config.Exposed, port)
			}
		}
		facts.SortPorts(config.Exposed)
	}
	return config
}
