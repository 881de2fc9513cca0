package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// The elements of a JUnit report, as the XML schema of Jenkins' xUnit plugin
// and GitLab, CircleCI and Azure read them.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Skipped *junitSkipped `xml:"skipped"`
		Error   *junitProblem `xml:"error"`
		Failure *junitProblem `xml:"failure"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit writes one suite an image and one case a rule, so that a finding that
// is gone shows as a test that passes again. JUnit knows no warnings: what
// does not fail the call is a passing case with text.
func junit(w io.Writer, a About, results []Result) error {
	report := junitReport{Name: "imglint"}
	seconds := 0.0
	for _, r := range results {
		s := suite(a, r)
		report.Tests += s.Tests
		report.Failures += s.Failures
		report.Errors += s.Errors
		seconds += r.Took.Seconds()
		report.Suites = append(report.Suites, s)
	}
	report.Time = fmt.Sprintf("%.3f", seconds)
	text, err := xml.MarshalIndent(report, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	}
	if err != nil {
		return fmt.Errorf("write junit report: %w", err)
	}
	return nil
}

func suite(a About, r Result) junitSuite {
	s := junitSuite{Name: label(r), Time: fmt.Sprintf("%.3f", r.Took.Seconds())}
	s.Cases = append(s.Cases, verdictCase(r, s.Time))
	if r.Err == nil {
		for _, rule := range ruleList(a, []Result{r}) {
			s.Cases = append(s.Cases, ruleCases(a, r, rule)...)
		}
	}
	for _, i := range r.Ignored {
		s.Cases = append(s.Cases, junitCase{Name: clean(i.Rule) + " (ignored)", Class: s.Name, Time: "0", Skipped: &junitSkipped{ignoredText(i)}})
	}
	for _, n := range r.NotChecked {
		s.Cases = append(s.Cases, junitCase{Name: clean(n.What), Class: s.Name, Time: "0", Skipped: &junitSkipped{clean(n.Why)}})
	}
	for _, c := range s.Cases {
		s.Tests++
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	return s
}

// verdictCase is the question itself.
func verdictCase(r Result, took string) junitCase {
	c := junitCase{Name: "release health check", Class: label(r), Time: took}
	reason := clean(r.Reason)
	switch {
	case r.Err != nil:
		c.Error = &junitProblem{Message: clean(r.Err.Error()), Type: "not checked"}
	case r.Verdict == finding.Fail:
		c.Failure = &junitProblem{Message: reason, Type: "fail", Text: reason}
	case r.Verdict == finding.Unknown:
		c.Skipped = &junitSkipped{reason}
	default:
		c.Out = reason
	}
	return c
}

func ruleCases(a About, r Result, rule Rule) []junitCase {
	var cases []junitCase
	for _, f := range r.Findings {
		if f.Rule == rule.ID {
			cases = append(cases, findingCase(a, r, f))
		}
	}
	if len(cases) > 0 {
		return cases
	}
	c := junitCase{Name: rule.ID, Class: label(r), Time: "0"}
	if rule.NeedsRun && (r.Facts == nil || r.Facts.Run == nil) {
		c.Skipped = &junitSkipped{"the image was not run"}
	}
	return []junitCase{c}
}

func findingCase(a About, r Result, f finding.Finding) junitCase {
	c := junitCase{Name: f.Rule, Class: label(r), Time: "0", File: clean(f.Place.File), Line: f.Place.Line}
	text := placed(f.Place) + f.Severity.String() + ": " + cleaned(paragraphs(f))
	if f.Severity < a.FailOn {
		c.Out = text
		return c
	}
	c.Failure = &junitProblem{Message: clean(f.Message), Type: f.Severity.String(), Text: text}
	return c
}

// ruleList is every rule that was asked and those that only findings know,
// such as checks of a Dockerfile linter.
func ruleList(a About, results []Result) []Rule {
	list := append([]Rule{}, a.Rules...)
	known := map[string]bool{}
	for _, r := range list {
		known[r.ID] = true
	}
	for _, r := range results {
		for _, f := range r.Findings {
			if !known[f.Rule] {
				known[f.Rule] = true
				list = append(list, Rule{ID: f.Rule, Title: strings.ReplaceAll(f.Rule, "-", " "), Severity: f.Severity})
			}
		}
	}
	return list
}
