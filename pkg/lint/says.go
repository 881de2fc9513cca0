package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/platform"
)

// quote adds to the first error what it rests on and what the user will read
// on the platform.
func (c *check) quote() {
	for i := range c.findings {
		f := &c.findings[i]
		if f.Severity != finding.Error {
			continue
		}
		c.doubt(f)
		c.lessStrict(f)
		target := c.facts.Target
		words := cmp.Or(target.Says[f.Rule], target.Says[""])
		if words != "" {
			text := fmt.Sprintf("%s will say: %s", cmp.Or(target.Title, target.Platform), fill(words, c.facts))
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "says", Text: text})
		}
		return
	}
}

// refusals are the rules whose findings strict mode makes.
var refusals = platform.Moments()[platform.Refused]

// lessStrict names every way to switch strict mode off, where that is a cure.
func (c *check) lessStrict(f *finding.Finding) {
	settings := c.facts.Target.Settings.Strict
	if f.Fix == nil || !c.Overrides.Strict || len(settings) == 0 || !slices.Contains(refusals, f.Rule) {
		return
	}
	f.Fix.Description += ", or leave strict mode off: no " + settings[0]
	for _, older := range settings[1:] {
		f.Fix.Description += " (on older stacks: no " + older + ")"
	}
}

// fill puts in the port that is asked and the one that was seen, where known.
func fill(words string, f *facts.Facts) string {
	if port := f.Target.Endpoint.Port; port != 0 {
		words = strings.ReplaceAll(words, "<p>", strconv.Itoa(port))
		words = strings.ReplaceAll(words, "<port>", strconv.Itoa(port))
	}
	words = strings.ReplaceAll(words, "<path>", f.Target.Probe.Path)
	if f.Run == nil {
		return words
	}
	for _, e := range slices.Backward(f.Run.Answers(f.Target.Endpoint.Port)) {
		if e.Answer.Status != 0 && !e.Answer.Loopback() {
			words = strings.ReplaceAll(words, "<n>", strconv.Itoa(e.Answer.Status))
		}
	}
	for _, l := range f.Run.Open() {
		if l.Network == "tcp" {
			return strings.ReplaceAll(words, "<q>", strconv.Itoa(l.Port))
		}
	}
	return words
}
