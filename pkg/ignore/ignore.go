// Package ignore reads what a user wants left out of a report, and why: from
// comments in a Dockerfile and from a label of the image. The config file's
// ignores have the same form.
package ignore

import (
	"fmt"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/finding"
)

// Label is the image label that holds ignores, one "RULE reason" a line or
// between semicolons.
const Label = "dev.imglint.ignore"

// Ignore leaves findings of one rule out.
type Ignore struct {
	Rule   string
	Reason string
	From   string // where it is written, for a reader: ".imglint.yaml:4"
	Image  string // only for the image of this name; "": any
	// Until is the last day it holds; zero: for ever.
	Until time.Time
	// File and the lines are the instruction that an inline ignore stands
	// above; File is "" for the others.
	File          string
	Line, EndLine int
}

// Covers reports whether a finding of the image ref is to be left out.
func (i Ignore) Covers(ref string, f finding.Finding) bool {
	switch {
	case i.Rule != f.Rule, i.Image != "" && !SameImage(i.Image, ref):
		return false
	case i.File == "":
		return true
	}
	return f.Place.File == i.File && f.Place.Line >= i.Line && f.Place.Line <= i.EndLine
}

// Expired reports whether its last day is over.
func (i Ignore) Expired(now time.Time) bool {
	return !i.Until.IsZero() && !now.Before(i.Until.AddDate(0, 0, 1))
}

// SameImage compares two names of an image; no tag is the tag latest.
func SameImage(a, b string) bool { return tagged(a) == tagged(b) }

func tagged(ref string) string {
	if strings.Contains(ref[strings.LastIndex(ref, "/")+1:], ":") || strings.Contains(ref, "@") {
		return ref
	}
	return ref + ":latest"
}

// FromLabel reads the image's label.
func FromLabel(text string) ([]Ignore, []error) {
	var all []Ignore
	var errs []error
	const from = "label " + Label
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		if strings.TrimSpace(part) == "" {
			continue
		}
		ignores, err := parse(part, from)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, ignores...)
	}
	return all, errs
}

// parse reads "RULE[,RULE…] reason".
func parse(text, from string) ([]Ignore, error) {
	names, reason, _ := strings.Cut(strings.TrimSpace(text), " ")
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return nil, fmt.Errorf("%s: ignore %s: say why, after the rule's name", from, names)
	}
	var all []Ignore
	for _, name := range strings.Split(names, ",") {
		if name == "" {
			return nil, fmt.Errorf("%s: ignore %q: a rule's name is missing", from, names)
		}
		all = append(all, Ignore{Rule: name, Reason: reason, From: from})
	}
	return all, nil
}
