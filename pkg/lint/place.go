package lint

import (
	"context"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// location is what locate found out.
type location struct {
	dockerfile *facts.Dockerfile // nil: the image was not built from the one at hand
	mismatch   error
	// file is the Dockerfile that counts, record the one of the provenance.
	file, record Dockerfile
}

func (c *check) location(ctx context.Context) *location {
	own := *c // what locate notes down is handed over whole
	d := own.locate(ctx)
	return &location{d, own.mismatch, own.Dockerfile, own.record}
}

// at takes over a location.
func (c *check) at(l *location) {
	c.located = l
	c.facts.Dockerfile, c.mismatch, c.Dockerfile, c.record = l.dockerfile, l.mismatch, l.file, l.record
}

// exposeOrder lists the tcp ports in the order of a Dockerfile's EXPOSE, as
// far as they are numbers.
func exposeOrder(d *facts.Dockerfile) []int {
	if d == nil {
		return nil
	}
	var order []int
	for _, i := range d.Fields[finding.FieldExpose] {
		words := strings.Fields(i.Text)
		for _, word := range words[min(1, len(words)):] {
			port, err := facts.ParsePort(word)
			if err != nil {
				return order // a variable or a range: what comes first is not known any more
			}
			if port.Protocol == "tcp" {
				order = append(order, port.Number)
			}
		}
	}
	return order
}

// locate finds out whether the image was built from the Dockerfile at hand;
// nil if not.
func (c *check) locate(ctx context.Context) *facts.Dockerfile {
	if own, ok := c.image.(*unbuilt); ok {
		c.Dockerfile = own.file
		return own.at
	}
	file := c.Dockerfile
	if file.Name == "" {
		return c.recorded(ctx)
	}
	d, err := dockerfile.Match(ctx, file.Name, file.Text, c.image.Facts(), dockerfile.Options{})
	if err != nil {
		c.mismatch = err
		return c.recorded(ctx)
	}
	return d
}

// place points every finding at the lines that it is about, and leaves out
// the ignored ones.
func (c *check) place() {
	if c.mismatch != nil && c.Dockerfile.Explicit {
		c.notChecked("which line of "+c.Dockerfile.Name, "%s", c.mismatch)
	}
	if c.record.Name != "" {
		c.Dockerfile = c.record
	}
	for i := range c.findings {
		f := &c.findings[i]
		switch {
		case c.Workload != nil && c.elsewhere(f):
			continue
		case c.resolve(f):
		case c.elsewhere(f) || c.typed(f):
		default:
			f.Place = dockerfile.Place(c.facts.Dockerfile, c.facts.Image, f.Place)
		}
		c.diff(f)
	}
	defer c.release()
	c.mismatched()
	c.leaveOut()
	c.findings = slices.DeleteFunc(c.findings, func(f finding.Finding) bool {
		if !c.Ignore[f.Rule] {
			return false
		}
		c.ignored = append(c.ignored, f)
		return true
	})
	c.edits = c.edit()
}

// mismatched says once why a finding has no line although there is a
// Dockerfile at hand.
func (c *check) mismatched() {
	if c.mismatch == nil || c.Dockerfile.Explicit || c.record.Name != "" {
		return
	}
	for i := range c.findings {
		if f := &c.findings[i]; f.Place.File == "" && f.Place.Source != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "read", Text: c.mismatch.Error()})
			return
		}
	}
}
