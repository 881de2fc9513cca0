package lint

import (
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/rules"
)

// signs tell a run what the rules will make of what it sees.
type signs struct {
	// waits: what cannot be reached now never can, as there is no network on
	// which it might still come up.
	waits bool
	facts *facts.Facts // what is known before
}

// Line reads a line of the log.
func (s signs) Line(text string) run.Sign {
	switch {
	case rules.KillsBooting(text, &s.facts.Prediction):
		return run.SignKilled
	case s.waits && rules.Unreachable(text):
		return run.SignWaits
	}
	return run.SignNone
}

// Command reads a command line.
func (s signs) Command(argv []string) run.Sign {
	if s.waits && rules.Awaits(argv, &s.facts.Launch) {
		return run.SignWaits
	}
	return run.SignNone
}
