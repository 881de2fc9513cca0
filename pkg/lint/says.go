package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
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
		target := c.facts.Target
		words := cmp.Or(target.Says[f.Rule], target.Says[""])
		if words != "" {
			text := fmt.Sprintf("%s will say: %s", cmp.Or(target.Title, target.Platform), fill(words, c.facts))
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "says", Text: text})
		}
		return
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
