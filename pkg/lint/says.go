package lint

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// quote adds to the first error what the user will read on the platform.
func (c *check) quote() {
	for i := range c.findings {
		f := &c.findings[i]
		if f.Severity != finding.Error {
			continue
		}
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
	if f.Run == nil {
		return words
	}
	for _, l := range f.Run.Open() {
		if l.Network == "tcp" {
			return strings.ReplaceAll(words, "<q>", strconv.Itoa(l.Port))
		}
	}
	return words
}
