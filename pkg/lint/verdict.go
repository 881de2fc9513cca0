package lint

import (
	"fmt"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

func (c *check) result(ref string) report.Result {
	r := report.Result{Ref: ref, Facts: c.facts, Findings: c.findings, NotChecked: c.facts.NotChecked, Edit: c.edits}
	r.Verdict, r.Basis, r.Reason = verdict(c.facts, append(c.findings, c.ignored...), c.Static)
	if e, ok := passedBy(c.facts); ok && r.Verdict == finding.Pass {
		if text := c.assumedGood(e.Answer.Status); text != "" {
			r.Reason += "; " + text
		}
	}
	if Doubtful(r) {
		c.notChecked("whether it passes", "%s", c.facts.Run.Doubt)
		r.NotChecked = c.facts.NotChecked
	}
	r.Findings, r.Ignored, r.Unused = c.graded(), c.left, c.unused
	if c.unseen && c.facts.Run == nil {
		r.Reason = unseenReason(r.Verdict)
	}
	if weighed, ok := c.image.(interface{ Cost() facts.Cost }); ok {
		cost := weighed.Cost()
		r.Cost = &cost
	}
	idle(&r)
	return r
}

// Doubtful reports whether a result would be a pass if what was seen did show one.
func Doubtful(r report.Result) bool {
	if r.Verdict != finding.Unknown || r.Facts == nil {
		return false
	}
	_, ok := passedBy(r.Facts)
	return ok && r.Facts.Run.Doubt != ""
}

// unseenReason is for an image that ran without anything to be seen of it.
func unseenReason(v finding.Verdict) string {
	if v == finding.Fail {
		return "the release health check will fail (read from the image: what it does when it runs could not be seen)"
	}
	return "it runs, and whether it listens and answers could not be seen"
}

// verdict tells whether the platform's check will pass. It passes only when
// an answer from outside loopback was seen and the first process lived on.
func verdict(f *facts.Facts, findings []finding.Finding, static bool) (finding.Verdict, finding.Basis, string) {
	basis := finding.Predicted
	if f.Run != nil {
		basis = finding.Observed
	}
	for _, found := range findings {
		if found.Severity != finding.Error {
			continue
		}
		if basis == finding.Predicted {
			return finding.Fail, basis, "the release health check will fail (" + readFrom(f) + ")"
		}
		return finding.Fail, basis, "the release health check will fail"
	}
	if f.Run == nil {
		return foreseen(f, static)
	}
	e, ok := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe)
	if f.Target.Endpoint.Port == 0 && f.Target.Endpoint.Named {
		return finding.Unknown, basis, fmt.Sprintf("%s asks the port that is named when deploying: say --port NUMBER", f.Target.Title)
	}
	if !ok || f.Run.Stopped != facts.StopAnswered {
		return finding.Unknown, basis, "the health check was not answered, and imglint cannot tell why"
	}
	if f.Run.Doubt != "" {
		return finding.Unknown, basis, answeredText(e) + ", which does not show that the release health check will pass"
	}
	return finding.Pass, basis, "the release health check will pass: " + answeredText(e)
}

// foreseen is the verdict on an image without a fault that was not run: a
// program that will listen where it should may still crash, so it is not a pass.
func foreseen(f *facts.Facts, static bool) (finding.Verdict, finding.Basis, string) {
	if f.Image.Source == SourceDockerfile {
		return finding.Unknown, finding.Predicted, "nothing in the Dockerfile says that the release health check must fail; nothing was built"
	}
	why := "it was not run"
	if static {
		why += " (--static)"
	}
	return finding.Unknown, finding.Predicted, "nothing in the image says that the release health check must fail; " + why
}

// readFrom says what a predicted verdict rests on.
func readFrom(f *facts.Facts) string {
	if f.Image.Source == SourceDockerfile {
		return "read from the Dockerfile, nothing built"
	}
	return "read from the image, not run"
}

func answeredText(e facts.Event) string {
	if e.Answer.Status == 0 {
		return fmt.Sprintf("port %d took a connection after %.1fs", e.Answer.Port, e.T.Seconds())
	}
	return fmt.Sprintf("port %d answered %d after %.1fs", e.Answer.Port, e.Answer.Status, e.T.Seconds())
}

// passedBy is the answer that passed the check.
func passedBy(f *facts.Facts) (facts.Event, bool) {
	if f.Run == nil {
		return facts.Event{}, false
	}
	return f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe)
}

// found is for platforms that look for open ports: the first that others can
// reach and that answers as it should becomes the endpoint.
func found(f *facts.Facts) {
	if !f.Target.Endpoint.Scanned || f.Run == nil || f.Run.Exit != nil {
		return
	}
	if _, ok := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe); ok {
		return
	}
	for _, l := range f.Run.Open() {
		if _, ok := f.Run.Passed(l.Port, f.Target.Probe); ok {
			f.Target.Endpoint.Port, f.Target.Endpoint.Injected = l.Port, false
			if f.Target.Endpoint.ChosenBy = "found open by " + f.Target.Title; f.Target.Endpoint.Named {
				f.Target.Endpoint.ChosenBy = "the port that is open"
			}
			f.Run.Stopped = facts.StopAnswered
			return
		}
	}
}
