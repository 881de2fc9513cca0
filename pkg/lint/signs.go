package lint

import (
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// Signs tell, while an image runs, what the rules will make of what it writes
// and of the commands that it runs.
type Signs interface {
	Awaits(argv []string, l *facts.Launch) bool
	Unreachable(line string) bool
	KillsBooting(line string, p *facts.Prediction) bool
}

// signs are those of one run.
type signs struct {
	Signs
	// waits: what cannot be reached now never can, as there is no network on
	// which it might still come up.
	waits bool
	facts *facts.Facts // what is known before
}

// signs are the signs of a run; nil: nobody reads them.
func (c *check) signs(f *facts.Facts) run.Signs {
	if c.Signs == nil {
		return nil
	}
	return signs{c.Signs, c.Network == "", f}
}

// Line reads a line of the log.
func (s signs) Line(text string) run.Sign {
	switch {
	case s.KillsBooting(text, &s.facts.Prediction):
		return run.SignKilled
	case s.waits && s.Unreachable(text):
		return run.SignWaits
	}
	return run.SignNone
}

// Command reads a command line.
func (s signs) Command(argv []string) run.Sign {
	if s.waits && s.Awaits(argv, &s.facts.Launch) {
		return run.SignWaits
	}
	return run.SignNone
}
