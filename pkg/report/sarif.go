package report

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

// SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0): the parts that
// imglint writes. GitHub's code scanning reads the same ones
// (docs.github.com, "SARIF support for code scanning").
const (
	sarifVersion = "2.1.0"
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Automation  sarifAutomation   `json:"automationDetails"`
		ColumnKind  string            `json:"columnKind"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
		Properties  map[string]any    `json:"properties"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		URI     string      `json:"informationUri"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID         string         `json:"id"`
		Short      sarifText      `json:"shortDescription"`
		Full       sarifText      `json:"fullDescription"`
		Help       *sarifText     `json:"help,omitempty"`
		HelpURI    string         `json:"helpUri,omitempty"`
		Default    sarifDefault   `json:"defaultConfiguration"`
		Properties map[string]any `json:"properties"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Fixes        []sarifFix         `json:"fixes,omitempty"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification,omitempty"`
	}
)

// maxRuns is what GitHub takes in one file ("SARIF support for code scanning",
// validating your SARIF file); of more it takes none.
const maxRuns = 20

// sarif writes one run an image, or one for all of too many images.
func sarif(w io.Writer, a About, results []Result) error {
	doc := sarifLog{Schema: sarifSchema, Version: sarifVersion, Runs: []sarifRun{}}
	ids := map[string]int{}
	for _, r := range results {
		if len(results) > maxRuns {
			doc.Runs = append(doc.Runs, sarifRunOf(a, "imglint/", results))
			break
		}
		id := sarifID(r)
		if ids[id]++; ids[id] > 1 {
			id = fmt.Sprintf("%s%d/", id, ids[id])
		}
		doc.Runs = append(doc.Runs, sarifRunOf(a, id, []Result{r}))
	}
	if err := encode(w, doc, "  "); err != nil {
		return fmt.Errorf("write sarif: %w", err)
	}
	return nil
}

func sarifRunOf(a About, id string, results []Result) sarifRun {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "imglint", Version: a.Version, URI: site, Rules: []sarifRule{}}},
		Automation: sarifAutomation{ID: id},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	var everything []Result
	for _, r := range results {
		everything = append(everything, r, ignoredOnly(r))
	}
	index := map[string]int{}
	for i, rule := range ruleList(a, everything) {
		index[rule.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(rule))
	}
	images := []map[string]any{}
	for _, r := range results {
		run.Invocations = append(run.Invocations, sarifInvocationOf(r))
		images = append(images, map[string]any{"image": r.Ref, "platform": platformOf(r), "verdict": r.Verdict, "basis": r.Basis, "reason": r.Reason})
		run.Results = append(run.Results, sarifResults(r, index, len(results) > 1)...)
	}
	run.Properties = map[string]any{"images": images}
	if len(images) == 1 {
		run.Properties = images[0]
	}
	return run
}

// sarifResults are an image's findings, then those that were left out; named:
// each says which image it is about.
func sarifResults(r Result, index map[string]int, named bool) []sarifResult {
	var all []sarifResult
	add := func(f finding.Finding, mark string, left ...sarifSuppression) {
		result := sarifFinding(r, f, mark)
		result.RuleIndex, result.Suppressions = index[f.Rule], left
		if named {
			result.Message.Text = label(r) + ": " + result.Message.Text
		}
		all = append(all, result)
	}
	marks := fingerprints(r)
	for i, f := range r.Findings {
		add(f, marks[i])
	}
	ignored := ignoredOnly(r)
	marks = fingerprints(ignored)
	for i, f := range ignored.Findings {
		add(f, marks[i], suppression(r, r.Ignored[i]))
	}
	return all
}

// suppression says why a finding is left out elsewhere: in the source means in
// the Dockerfile.
func suppression(r Result, i Ignored) sarifSuppression {
	s := sarifSuppression{Kind: "external", Justification: clean(i.Reason)}
	if i.Place.File != "" && strings.HasPrefix(i.From, i.Place.File+":") {
		s.Kind = "inSource"
	}
	return s
}

// sarifID is the image's name without the tag, so that code scanning compares
// builds of the same image. It ends in a slash: what stands before it is the
// category.
func sarifID(r Result) string {
	id := "imglint/" + repository(r.Ref) + "/"
	if r.Facts != nil && r.Facts.Target.Platform != "" {
		id += r.Facts.Target.Platform + "/"
	}
	return id
}

func sarifRuleOf(r Rule) sarifRule {
	rule := sarifRule{
		ID: r.ID, Short: sarifText{Text: r.Title}, Full: sarifText{Text: fullDescription(r)},
		HelpURI:    ruleURL(r.ID),
		Default:    sarifDefault{Level: sarifLevel(r.Severity)},
		Properties: map[string]any{"tags": []string{"container", "reliability"}, "precision": "high", "problem.severity": problemSeverity(r.Severity)},
	}
	if r.Page != "" {
		rule.Help = &sarifText{Text: r.Page, Markdown: r.Page}
	}
	return rule
}

// fullDescription is the page's first paragraph after its title and summary.
func fullDescription(r Rule) string {
	parts := strings.Split(strings.TrimSpace(r.Page), "\n\n")
	if len(parts) < 3 {
		return r.Title
	}
	return strings.Join(strings.Fields(parts[2]), " ")
}

func sarifLevel(s finding.Severity) string {
	if s == finding.Error || s == finding.Warning {
		return s.String()
	}
	return "note"
}

// problemSeverity is GitHub's word for a rule's severity.
func problemSeverity(s finding.Severity) string {
	if s == finding.Error || s == finding.Warning {
		return s.String()
	}
	return "recommendation"
}

func sarifInvocationOf(r Result) sarifInvocation {
	invocation := sarifInvocation{Successful: r.Err == nil}
	if r.Err != nil {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{"error", sarifText{Text: clean(r.Err.Error())}})
	}
	for _, n := range r.NotChecked {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{"warning", sarifText{Text: clean("not checked: " + n.What + ": " + n.Why)}})
	}
	return invocation
}

// sarifURI is a file as a URI: relative ones to the repository's root.
func sarifURI(file string) sarifArtifact {
	file = strings.ReplaceAll(file, `\`, "/")
	absolute := strings.HasPrefix(file, "/") || len(file) > 1 && file[1] == ':'
	parts := strings.Split(file, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	escaped := strings.Join(parts, "/")
	if absolute {
		return sarifArtifact{URI: "file:///" + strings.TrimPrefix(escaped, "/")}
	}
	// A colon in the first segment would make it a scheme (RFC 3986, 4.2).
	return sarifArtifact{URI: strings.ReplaceAll(strings.TrimPrefix(escaped, "./"), ":", "%3A"), Base: "%SRCROOT%"}
}
