package report

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// onPlatforms is one image that passes on one platform and fails on two for
// the same cause.
func onPlatforms() []Result {
	result := func(platform string, port int, tcp bool, v finding.Verdict) Result {
		return Result{Ref: "app", Verdict: v, Basis: finding.Observed, Reason: "the release health check will pass: port 80 answered 200 after 0.1s",
			NotChecked: []finding.NotChecked{{What: "a part", Why: "because"}},
			Facts: &facts.Facts{
				Image: facts.Image{Ref: "app", ID: "sha256:0123456789abcdef", OS: "linux", Architecture: "amd64"},
				Target: facts.Target{Platform: platform, Endpoint: facts.Endpoint{Port: port},
					Probe: facts.Probe{TCP: tcp, Method: "GET", Path: "/up", Accept: []facts.StatusRange{{From: 200, To: 299}}}},
				Run: &facts.Run{Argv: []string{"/a"}, Events: []facts.Event{{Kind: facts.EventListening, Socket: &facts.Socket{Network: "tcp", Addr: netip.IPv4Unspecified(), Port: 80}}}},
			}}
	}
	failing := func(platform string, port int) Result {
		r := result(platform, port, true, finding.Fail)
		r.Findings = []finding.Finding{
			{Rule: "gunicorn-no-preload", Severity: finding.Warning, Message: "a warning first", Basis: finding.Observed},
			{Rule: "port-env-ignored", Severity: finding.Error, Message: "listens on \x1b[31m80", Basis: finding.Observed,
				Evidence: []finding.Evidence{{Kind: "says", Text: "Heroku will say: Error R10"}},
				Fix:      &finding.Fix{Description: "listen there", Instruction: "CMD serve $PORT"}},
		}
		return r
	}
	worker := result("aptible", 0, false, finding.Unknown)
	worker.Facts.Target.Assumed = []string{"1m0s for one try", "statuses 200 to 399 as good"}
	worker.Facts.Target.Service, worker.Reason = "worker", "it listens nowhere"
	return []Result{result("kamal", 80, false, finding.Pass), failing("heroku", 24731), failing("railway", 24731), worker}
}

func TestMatrixText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := MatrixText(&b, onPlatforms(), Style{}); err != nil {
		t.Fatal(err)
	}
	want := `app  sha256:0123456789ab  linux/amd64

kamal           PASS     80 /up status 200-299  port 80 answered 200 after 0.1s
heroku          FAIL     24731 a connection     listens on \x1b[31m80 [port-env-ignored]
                fix      CMD serve $PORT   (not tried)
                says     Error R10
railway         FAIL     24731 a connection     listens on \x1b[31m80 [port-env-ignored]
aptible worker  UNKNOWN  no port                it listens nowhere

not checked: a part: because

1 pass, 2 fail, 1 unknown · imglint --platform NAME says more
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestMatrixTextVerbose(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := MatrixText(&b, onPlatforms(), Style{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	if want := "                assumed  1m0s for one try; statuses 200 to 399 as good\n"; strings.Count(b.String(), "assumed") != 1 || !strings.Contains(b.String(), want) {
		t.Errorf("text %q, want %q in it once", b.String(), want)
	}
}

// TestMatrixJSON holds the document against the published schema.
func TestMatrixJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := MatrixJSON(&b, [][]Result{onPlatforms()}); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t).Validate(doc); err != nil {
		t.Errorf("the document does not fit its schema: %v\n%s", err, b.String())
	}
	var got struct {
		Images []struct{ Verdict string }
		Matrix []Matrix
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Images) != 4 || len(got.Matrix) != 1 || len(got.Matrix[0].Rows) != 4 {
		t.Fatalf("document %+v", got)
	}
	want := Row{Platform: "heroku", Verdict: finding.Fail, Basis: finding.Observed, Asks: "24731 a connection",
		Reason: "listens on \x1b[31m80", Rule: "port-env-ignored", Change: "CMD serve $PORT", Says: "Error R10"}
	if diff := cmp.Diff(want, got.Matrix[0].Rows[1]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// TestMatrixSaysWhatWasTried: a change that helped, one that did not, and what
// a verdict assumes.
func TestMatrixSaysWhatWasTried(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	results := onPlatforms()
	for i, tried := range []*bool{&yes, &no} {
		fix := *results[i+1].Findings[1].Fix
		fix.Verified, fix.Proof = tried, "with this fix…"
		results[i+1].Findings[1].Fix = &fix
		results[i+1].Findings[1].Evidence = append(results[i+1].Findings[1].Evidence, finding.Evidence{Kind: "assumed", Text: "nobody knows <b>"})
	}
	for i := range results {
		results[i].Starts, results[i].Took = 3, 2500*time.Millisecond
	}
	var text, html bytes.Buffer
	if err := MatrixText(&text, results, Style{}); err != nil {
		t.Fatal(err)
	}
	if err := page(&html, About{}, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"proved   with this fix…", "tried    with this fix…", "assumed  nobody knows <b>", "1 pass, 2 fail, 1 unknown · 3 starts, 2.5s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("text %q, want %q in it", text.String(), want)
		}
	}
	for _, want := range []string{
		">heroku</a>", "asks 24731 a connection", "<code>CMD serve $PORT</code>", "proved: with this fix…", "tried: with this fix…",
		"assumed: nobody knows &lt;b&gt;", "its user will read: <q>Error R10</q>", "3 starts, 2.5s", "href=\"#image-2\"", "aptible worker",
	} {
		if !strings.Contains(html.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestMatrixOfOnePlatformIsNone: several images on one platform need no second table.
func TestMatrixOfOnePlatformIsNone(t *testing.T) {
	t.Parallel()
	one, other := onPlatforms()[0], onPlatforms()[0]
	other.Ref = "other"
	if got := matrices([]Result{one, other}); got != nil {
		t.Errorf("matrices %+v, want none", got)
	}
}
