package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sarifSchemaFile is the official schema (OASIS, errata 01), as the module
// github.com/securego/gosec/v2@v2.30.0 carries it in report/sarif/testdata.
const sarifSchemaFile = "sarif-schema-2.1.0.json"

func officialSARIF(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", sarifSchemaFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(sarifSchema, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(sarifSchema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSARIFFitsTheOfficialSchema(t *testing.T) {
	t.Parallel()
	s := officialSARIF(t)
	format, _ := FindFormat("sarif")
	var many []Result
	for len(many) <= maxRuns {
		many = append(many, results(t)...)
	}
	for name, all := range map[string][]Result{"all": results(t), "none": nil, "many": many, "hostile": hostile(t), "twice": append(results(t), results(t)...)} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, format, all)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if runs := doc.(map[string]any)["runs"].([]any); len(runs) > maxRuns {
			t.Errorf("%s: %d runs, GitHub takes %d", name, len(runs), maxRuns)
		}
		ids := map[string]bool{}
		for _, run := range doc.(map[string]any)["runs"].([]any) {
			id := run.(map[string]any)["automationDetails"].(map[string]any)["id"].(string)
			if ids[id] || !strings.HasSuffix(id, "/") {
				t.Errorf("%s: the category %q is there twice, or does not end in a slash", name, id)
			}
			ids[id] = true
		}
	}
	broken := strings.Replace(string(write(t, format, results(t))), `"startLine": 5`, `"startLine": 0`, 1)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(broken))
	if err != nil {
		t.Fatal(err)
	}
	if s.Validate(doc) == nil {
		t.Error("the schema accepts a line 0, so the test above says nothing")
	}
}

// TestFingerprintsLast: a new tag, other times and a line added above do not
// make a finding a new one; another cause does.
func TestFingerprintsLast(t *testing.T) {
	t.Parallel()
	first := results(t)[0]
	again := results(t)[0]
	again.Ref = "shop/loopback-bind:v2"
	again.Findings[0].Place.Line = 12
	again.Findings[0].Message = "other words"
	again.Findings[0].Evidence[0].At = 9.9
	if diff := cmp.Diff(fingerprints(first), fingerprints(again)); diff != "" {
		t.Errorf("a later run of the same cause (-first +later):\n%s", diff)
	}
	other := results(t)[0]
	other.Findings[0].Place.Words = "uvicorn"
	if fingerprints(first)[0] == fingerprints(other)[0] {
		t.Error("another cause has the same fingerprint")
	}
	twice := results(t)[0]
	twice.Findings[1] = twice.Findings[0]
	if marks := fingerprints(twice); marks[0] == marks[1] {
		t.Error("two findings of one report have the same fingerprint")
	}
}

// TestTooManyRuns: nothing is lost when the images share one run, and each
// finding says which image it is about.
func TestTooManyRuns(t *testing.T) {
	t.Parallel()
	all := results(t)
	one := sarifRunOf(about(), "imglint/", all)
	var want, got []string
	for _, r := range all {
		for i, f := range r.Findings {
			want = append(want, label(r)+" "+f.Rule+" "+fingerprints(r)[i])
		}
	}
	for _, r := range one.Results {
		name, _, _ := strings.Cut(r.Message.Text, ": ")
		got = append(got, name+" "+one.Tool.Driver.Rules[r.RuleIndex].ID+" "+r.Fingerprints["imglintCause/v1"])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-of the images +in the run):\n%s", diff)
	}
	if len(one.Invocations) != len(all) {
		t.Errorf("%d invocations for %d images", len(one.Invocations), len(all))
	}
}

// TestIgnoredIsSuppressed: what the user left out is in SARIF with the reason,
// so that code scanning closes the alert instead of losing it.
func TestIgnoredIsSuppressed(t *testing.T) {
	t.Parallel()
	r := results(t)[0]
	r.Ignored = []Ignored{{Finding: r.Findings[1], Reason: "measured", From: "Dockerfile:4"}, {Finding: r.Findings[0], Reason: "later", From: ".imglint.yaml:3"}}
	r.Findings = nil
	run := sarifRunOf(about(), sarifID(r), []Result{r})
	var got []string
	for _, result := range run.Results {
		rule := run.Tool.Driver.Rules[result.RuleIndex].ID
		got = append(got, rule+" "+result.Suppressions[0].Kind+" "+result.Suppressions[0].Justification)
	}
	want := []string{"gunicorn-no-preload inSource measured", "loopback-bind external later"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("suppressions (-want +got):\n%s", diff)
	}
	for _, name := range []string{"junit", "markdown", "html"} {
		format, _ := FindFormat(name)
		if text := string(write(t, format, []Result{r})); !strings.Contains(text, "measured") {
			t.Errorf("%s does not tell of what was ignored", name)
		}
	}
}
