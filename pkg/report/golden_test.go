package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// recorded is one result of testdata/results.json: what imglint said and saw
// of images of fixtures/.
type recorded struct {
	Ref        string               `json:"ref"`
	Verdict    finding.Verdict      `json:"verdict"`
	Basis      finding.Basis        `json:"basis"`
	Reason     string               `json:"reason"`
	Took       int64                `json:"took"` // milliseconds
	Findings   []finding.Finding    `json:"findings"`
	NotChecked []finding.NotChecked `json:"notChecked"`
	Error      string               `json:"error"`
	Facts      *facts.Facts         `json:"facts"`
}

// results are the shared ones that every format is tried on: failures with a
// proved fix, a crash, a slow boot, a pass, one that was only read, and one
// that could not be.
func results(t testing.TB) []Result {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	var out []Result
	for _, r := range all {
		result := Result{
			Ref: r.Ref, Verdict: r.Verdict, Basis: r.Basis, Reason: r.Reason, Took: time.Duration(r.Took) * time.Millisecond,
			Findings: r.Findings, NotChecked: r.NotChecked, Facts: r.Facts,
		}
		if r.Error != "" {
			result.Err = errors.New(r.Error)
		}
		out = append(out, result)
	}
	return out
}

func about() About {
	return About{Version: "1.2.3", FailOn: finding.Error, Rules: []Rule{
		{ID: "exits-at-once", Title: "the container exits", Severity: finding.Error, NeedsRun: true, Page: "# exits-at-once\n\nthe container exits (error)\n\nReports that it\nexited.\n\n**Fix.** do not.\n"},
		{ID: "loopback-bind", Title: "listens on the loopback address only", Severity: finding.Error},
		{ID: "gunicorn-no-preload", Title: "workers load the app", Severity: finding.Warning},
	}}
}

// write runs a format as the command line does.
func write(t testing.TB, f Format, all []Result) []byte {
	t.Helper()
	var b bytes.Buffer
	if f.All != nil {
		if err := f.All(&b, about(), all); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, r := range all {
		if err := f.Each(&b, about(), r); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestGolden keeps what every format prints. What a golden file cannot tell,
// that others can read it, is told by the tests of each format.
func TestGolden(t *testing.T) {
	t.Parallel()
	all := results(t)
	for _, f := range Formats {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			got := string(write(t, f, all))
			name := filepath.Join("testdata", "golden."+f.Name)
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s differs, go test ./pkg/report -update rewrites it (-file +now):\n%s", name, diff)
			}
		})
	}
}

func TestExactlyOneWriter(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		if (f.Each == nil) == (f.All == nil) {
			t.Errorf("%s: exactly one of Each and All must be set", f.Name)
		}
	}
}

// TestNoResults: a report about nothing is still a report.
func TestNoResults(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		if f.All != nil && f.Name != "markdown" && len(write(t, f, nil)) == 0 {
			t.Errorf("%s: nothing is written", f.Name)
		}
	}
}
