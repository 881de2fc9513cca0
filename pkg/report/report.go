// Package report prints what imglint found, in one file a format.
package report

import (
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// Result is the outcome for one image.
type Result struct {
	// Ref is the image as the user named it.
	Ref string
	// Facts is what was learned; nil when the image could not be read.
	Facts *facts.Facts
	// Ignored are the findings that the user had left out, with the reasons.
	Ignored []Ignored
	// Unused tells of the Dockerfile's and the image's ignores that are wrong
	// or ignored nothing, for a reader.
	Unused     []string
	Verdict    finding.Verdict
	Basis      finding.Basis
	Reason     string // half a sentence that explains the verdict
	Findings   []finding.Finding
	NotChecked []finding.NotChecked
	Took       time.Duration
	// Cost is what reading the image took; nil: that is not known.
	Cost *facts.Cost
	// Starts is how often the image was started for this and for what was found
	// at the same time; 0: it was checked alone.
	Starts int
	// Edit makes the fixes of all errors; nil when none can be made exactly.
	Edit *Edit
	// Err is why the image could not be checked at all.
	Err error
}

// Ignored is a finding that is not reported.
type Ignored struct {
	finding.Finding
	Reason string
	From   string // where the ignore is written
}

// Count returns how many findings have a severity.
func (r Result) Count(s finding.Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// boot returns when the endpoint first answered as the platform demands.
func (r Result) boot() (facts.Millis, bool) {
	if r.Facts == nil || r.Facts.Run == nil {
		return 0, false
	}
	e, ok := r.Facts.Run.Passed(r.Facts.Target.Endpoint.Port, r.Facts.Target.Probe)
	return e.T, ok
}
