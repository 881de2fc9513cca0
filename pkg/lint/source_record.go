package lint

import (
	"context"

	"github.com/imglint/imglint/pkg/dockerfile"
	"github.com/imglint/imglint/pkg/facts"
)

// recorded finds the Dockerfile in the provenance that buildkit stored beside
// the image. Most images have none: that is nothing to speak of.
func (c *check) recorded(ctx context.Context) *facts.Dockerfile {
	attested, ok := c.image.(interface{ Provenance() ([]byte, error) })
	if !ok {
		return nil
	}
	text, err := attested.Provenance()
	if err != nil {
		return nil
	}
	p, err := dockerfile.ReadProvenance(text)
	if err != nil {
		return nil
	}
	name := p.File
	if c.Dockerfile.Name == name {
		name += " (as built)" // the one at hand is another
	}
	d, err := dockerfile.Match(ctx, name, p.Source, c.facts.Image, dockerfile.Options{Target: p.Target, BuildArgs: p.BuildArgs})
	if err != nil {
		return nil
	}
	c.record = Dockerfile{Name: name, Text: p.Source}
	return d
}
