// Package run is the seam between imglint and whatever starts an image: a
// spec goes in, a stream of events and the finished run come out.
package run

import (
	"context"
	"io/fs"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// Spec says what to start and how long to watch it.
type Spec struct {
	Image string   // the engine's name or ID of the image
	Argv  []string // ENTRYPOINT and CMD as they will be executed
	Env   []string // KEY=VALUE, on top of the image's own
	User  string   // "" is the image's own
	// ReadOnly: nothing can be written to the root file system.
	ReadOnly bool
	Volumes  []string // as docker run -v takes them; for engines
	// Files are put over the image's own before it starts.
	Files  []File
	Target facts.Target
	// Also are other targets that the same run is watched for: those that give
	// the program the same environment. View tells what each of them saw.
	Also   []facts.Target
	Limits Limits
	Settle time.Duration // how long PID 1 must live on after a good answer; at least 300 ms
	// Brief leaves out what is looked at after a good answer: the image's
	// HEALTHCHECK, and what a stop signal does.
	Brief   bool
	Wrapped bool // the second run, which proves daemonization
	// Signs read what the program writes and the commands that it runs; nil:
	// these do not end a run early.
	Signs Signs
	// Expect is the static prediction: when it is complete and all of it was
	// seen, there is nothing more to wait for.
	Expect facts.Prediction
}

// File is a file that a run has in place of the image's.
type File struct {
	Path     string // absolute
	Text     []byte
	Mode     fs.FileMode // permission bits
	UID, GID int
}

// Limits bound what the image may use.
type Limits struct {
	Memory   int64   // bytes
	CPUs     float64 // 0: no limit
	Pids     int64
	LogBytes int64 // kept; more is read and thrown away
}

// DefaultLimits are generous for an application and harmless for a laptop.
var DefaultLimits = Limits{Memory: 1 << 30, Pids: 1024, LogBytes: 1 << 20}

// Watcher is told what happens while it happens. Its methods are called from
// one goroutine and must not block.
type Watcher interface {
	Event(facts.Event)
	Log(facts.LogLine)
}

// Observer starts an image and watches it. The error is for what kept it from
// looking; what the image did wrong is in the run.
type Observer interface {
	Observe(context.Context, Spec, Watcher) (facts.Run, error)
}
