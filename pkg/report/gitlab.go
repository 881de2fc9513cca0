package report

import (
	"fmt"
	"io"

	"github.com/imglint/imglint/pkg/finding"
)

// gitlabIssue is one entry of GitLab's code quality report
// (docs.gitlab.com/ci/testing/code_quality, "Code Quality report format").
type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"`
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
	End   int `json:"end,omitempty"`
}

var gitlabSeverities = map[finding.Severity]string{
	finding.Error: "critical", finding.Warning: "minor", finding.Note: "info",
}

// gitlab writes the findings for GitLab's merge requests. An image that could
// not be checked is an entry too: an empty report would look clean.
func gitlab(w io.Writer, _ About, results []Result) error {
	issues := []gitlabIssue{}
	for _, r := range results {
		marks := fingerprints(r)
		for i, f := range r.Findings {
			issues = append(issues, gitlabFinding(r, f, marks[i]))
		}
		if r.Err != nil {
			issues = append(issues, gitlabError(r))
		}
	}
	if err := encode(w, issues, "  "); err != nil {
		return fmt.Errorf("write gitlab report: %w", err)
	}
	return nil
}

func gitlabFinding(r Result, f finding.Finding, mark string) gitlabIssue {
	issue := gitlabIssue{
		Description: label(r) + ": " + clean(f.Message), CheckName: f.Rule, Fingerprint: mark, Severity: gitlabSeverities[f.Severity],
	}
	issue.Location.Path, issue.Location.Lines.Begin, issue.Location.Lines.End = place(r, f)
	return issue
}

func gitlabError(r Result) gitlabIssue {
	unread := finding.Finding{Rule: "not-checked", Severity: finding.Error}
	r.Findings = []finding.Finding{unread}
	issue := gitlabFinding(r, unread, fingerprints(r)[0])
	issue.Severity, issue.Description = "blocker", clean(r.Ref+": could not be checked: "+r.Err.Error())
	return issue
}
