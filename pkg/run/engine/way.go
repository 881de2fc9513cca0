package engine

import (
	"errors"
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
)

// ways are the ways to watch a run, each for where the one before is not
// possible: an engine may refuse to make a network, to mount or copy the probe
// in, to replace an entrypoint, or to let containers share namespaces.
var ways = []facts.Way{facts.WayCell, facts.WayAlone, facts.WaySidecar, facts.WayLogs}

// What cannot be said of a run, by the way it is watched; the error is why.
const (
	blindAlone    = "the container ran on the engine's own network, because a cell could not be made: %v"
	blindSidecar  = "it was watched from a container beside it, because the probe could not start it (%v): what it did in its first %s was not seen"
	blindOwners   = "whose sockets and processes there were was not seen, because the engine does not let containers share processes: %v"
	blindLogs     = "only its log and its end were seen, because the engine lets no probe near it (%v): whether it listens and answers was not seen"
	blindTooShort = "it ended before the probe beside it saw anything: only its log and its end were seen"
	blindJoin     = "only its log and its end were seen, because the probe could not join it (%v): whether it listens and answers was not seen"
	blindLimit    = "the %s limit that was asked for did not hold, because the engine does not set it"
	blindWrapped  = "the engine does not let the probe start it: %v"
)

// impossible reports whether an error says that a run cannot be made this way,
// and another way is worth a try. An engine that hangs or went away, and a
// program that ran already, are not.
func impossible(err error) bool {
	return isKind(err, KindRefused) || isKind(err, KindProbe) || errors.Is(err, errReadOnly)
}

// errReadOnly is why there is no cell for an image that is only read.
var errReadOnly = errors.New("the image was opened for reading only")

// unchanged reports whether the engine, and not the probe, starts the program.
func unchanged(w facts.Way) bool { return w == facts.WaySidecar || w == facts.WayLogs }

// blindFrom says what a way cannot see from its beginning, "" for nothing.
func blindFrom(w facts.Way, why error) string {
	switch w {
	case facts.WayAlone:
		return fmt.Sprintf(blindAlone, why)
	case facts.WayLogs:
		return fmt.Sprintf(blindLogs, why)
	}
	return ""
}
