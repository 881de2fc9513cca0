// Package facts holds what imglint learned about one image: data only.
// Collectors fill it, rules read it, and its JSON form is what test fixtures
// record.
package facts

import (
	"errors"
	"time"

	"github.com/imglint/imglint/pkg/finding"
)

// Facts is everything that was learned about one image on one platform.
type Facts struct {
	Image      Image       `json:"image"`
	Target     Target      `json:"target"`
	Launch     Launch      `json:"launch"`
	Prediction Prediction  `json:"prediction"`
	Dockerfile *Dockerfile `json:"dockerfile,omitempty"`
	// Run is the unmodified start of the image; nil when it was not started.
	Run *Run `json:"run,omitempty"`
	// Wrapped is the second start, made only after Run exited with 0.
	Wrapped    *Run                 `json:"wrapped,omitempty"`
	NotChecked []finding.NotChecked `json:"notChecked,omitempty"`
	// Workload is the manifest's part; nil without one.
	Workload *Workload `json:"workload,omitempty"`
	// Proof is the outcome of running the image with the fixes of all its
	// errors; nil when that was not tried.
	Proof *Proof `json:"proof,omitempty"`
	// Boot is how long a worker needs that the server kills while it boots; nil
	// when that was not measured.
	Boot *Boot `json:"boot,omitempty"`
	// Again is the docker command that starts the image as it was checked; ""
	// when that is the plain docker run.
	Again string `json:"again,omitempty"`
	// Took is how long the whole check took.
	Took Millis `json:"took,omitempty"`
}

// Proof tells whether an image passes with its fixes.
type Proof struct {
	Passed bool   `json:"passed"`
	Text   string `json:"text"` // what was seen, for a reader
	// Tried are the fixes that were run, one for each finding that has any.
	Tried []Tried `json:"tried,omitempty"`
	// Behind are the errors that showed once the others were mended.
	Behind []finding.Finding `json:"behind,omitempty"`
}

// Tried is what came of one finding's fix.
type Tried struct {
	Rule string `json:"rule"`
	// Way is the fix that was taken: 0 is the finding's own, then its Others.
	Way int `json:"way,omitempty"`
	// Cured: the finding was gone with it.
	Cured bool `json:"cured,omitempty"`
	// Passed: the image passed with it.
	Passed bool   `json:"passed,omitempty"`
	Text   string `json:"text"`
	// Fix replaces the finding's own: it holds those of other findings, which
	// change the same instruction.
	Fix *finding.Fix `json:"fix,omitempty"`
}

// Boot is what a start without the server's limit on its workers showed.
type Boot struct {
	// Took is the time from a worker's start to its first answer; 0: none came
	// within Within.
	Took   Millis `json:"took,omitempty"`
	Within Millis `json:"within"`
	// Request: the worker accepted the first request at once, and the time went
	// into that.
	Request bool `json:"request,omitempty"`
}

// Tri is a truth value that can be unknown, which is its zero value.
type Tri string

// The values of Tri.
const (
	Unknown Tri = ""
	Yes     Tri = "yes"
	No      Tri = "no"
)

// Millis is a duration whose JSON form is whole milliseconds.
type Millis int64

// Duration converts to the standard library's type.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// Seconds converts to seconds.
func (m Millis) Seconds() float64 { return float64(m) / 1000 }

// ToMillis rounds d down to milliseconds.
func ToMillis(d time.Duration) Millis { return Millis(d / time.Millisecond) }

// ErrNotExamined is what an image's file system answers about a path that it
// did not look at. It is not a proof of absence; fs.ErrNotExist is.
var ErrNotExamined = errors.New("not examined")
