package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func sample() Result {
	verified := true
	return Result{
		Ref:     "myapp:latest",
		Verdict: finding.Fail, Basis: finding.Observed, Reason: "the release health check will fail",
		Took: 1600 * time.Millisecond,
		Facts: &facts.Facts{
			Image: facts.Image{ID: "sha256:4c1f0123456789abcdef", OS: "linux", Architecture: "amd64"},
			Target: facts.Target{
				Platform: "aptible", BootWindow: 3 * time.Minute,
				Endpoint: facts.Endpoint{Port: 8000, ChosenBy: "the only exposed port"},
				Probe:    facts.Probe{Method: "GET", Path: "/", Host: "containers"},
			},
			Launch: facts.Launch{Argv: []string{"gunicorn", "shop:app"}, Known: facts.Yes},
			Run: &facts.Run{
				Events: []facts.Event{
					{Kind: facts.EventExec, Argv: []string{"gunicorn", "shop:app"}},
					{T: 900, Kind: facts.EventListening, Socket: &facts.Socket{Network: "tcp", Addr: netip.MustParseAddr("127.0.0.1"), Port: 8000, PID: 1}},
					{T: 910, Kind: facts.EventAnswer, Answer: &facts.Answer{To: netip.MustParseAddr("198.18.0.2"), Port: 8000, Class: facts.ClassRefused}},
				},
			},
		},
		Findings: []finding.Finding{{
			Rule: "loopback-bind", Severity: finding.Error, Basis: finding.Observed,
			Message: "gunicorn listens on 127.0.0.1:8000, which nothing outside the container can reach",
			Detail:  "gunicorn's default",
			Place: finding.Place{
				Field: finding.FieldCmd, Words: "gunicorn", File: "Dockerfile", Line: 9, EndLine: 9,
				Column: 7, EndColumn: 15, Source: `CMD ["gunicorn", "shop:app"]`,
			},
			Evidence: []finding.Evidence{{Kind: "seen", At: 0.9, Text: "pid 1 gunicorn listens on tcp 127.0.0.1:8000"}},
			Fix: &finding.Fix{
				Description: "bind all interfaces", Instruction: `CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop:app"]`,
				Verified: &verified, Proof: "with this fix the image answered 200 after 1.0s",
			},
		}},
	}
}

const sampleText = `myapp:latest  sha256:4c1f01234567  linux/amd64  aptible: GET http://<container>:8000/  any status, within 3m0s

  FAIL  the release health check will fail

Dockerfile:9: error: gunicorn listens on 127.0.0.1:8000, which nothing outside the container can reach [loopback-bind]
    9 | CMD ["gunicorn", "shop:app"]
      |       ^^^^^^^^ gunicorn's default
  seen     0.9s  pid 1 gunicorn listens on tcp 127.0.0.1:8000
  fix    CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop:app"]
  proved with this fix the image answered 200 after 1.0s

1 error · 1.6s · imglint explain loopback-bind
`

func TestText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Text(&b, sample(), Style{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleText, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// Colours add escapes and change no other byte.
func TestColourChangesNoText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Text(&b, sample(), Style{Colour: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), red+"FAIL"+reset) {
		t.Error("FAIL is not red")
	}
	plain := strings.NewReplacer(reset, "", bold, "", dim, "", red, "", green, "", yellow, "", cyan, "").Replace(b.String())
	if diff := cmp.Diff(sampleText, plain); diff != "" {
		t.Errorf("coloured text without its escapes (-want +got):\n%s", diff)
	}
}

// What an image says must not reach the terminal as an instruction.
func TestHostileText(t *testing.T) {
	t.Parallel()
	r := sample()
	hostile := "\x1b]0;owned\x07\x1b[2J\r\u202egnp.exe\u0085"
	r.Ref = "x" + hostile
	r.Findings[0].Message += hostile
	r.Findings[0].Detail += hostile
	r.Findings[0].Place.Source += hostile
	r.Findings[0].Evidence[0].Text += hostile
	r.Findings[0].Fix.Instruction += hostile
	r.Findings[0].Fix.Proof += hostile
	r.NotChecked = []finding.NotChecked{{What: hostile, Why: hostile}}
	var b bytes.Buffer
	if err := Text(&b, r, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b", "\x07", "\r", "\u202e", "\u0085"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the text contains %q", bad)
		}
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "docs", "imglint.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("imglint.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("imglint.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJSONFitsItsSchema(t *testing.T) {
	t.Parallel()
	s := schema(t)
	unread := Result{Ref: "nope", Verdict: finding.Unknown, Err: errors.New("no such image")}
	for name, results := range map[string][]Result{"none": nil, "one": {sample()}, "unread": {sample(), unread}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := JSON(&b, results); err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); err != nil {
				t.Error(err)
			}
		})
	}
}

// The schema must refuse what is not imglint's, or the test above says nothing.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := schema(t)
	var b bytes.Buffer
	if err := JSON(&b, []Result{sample()}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[string]any){
		"version":       func(doc map[string]any) { doc["version"] = 2 },
		"unknown key":   func(doc map[string]any) { doc["extra"] = true },
		"verdict":       func(doc map[string]any) { imageOf(doc)["verdict"] = "maybe" },
		"no findings":   func(doc map[string]any) { delete(imageOf(doc), "findings") },
		"wrong port":    func(doc map[string]any) { imageOf(doc)["listeners"].([]any)[0].(map[string]any)["port"] = -1 },
		"finding extra": func(doc map[string]any) { imageOf(doc)["findings"].([]any)[0].(map[string]any)["x"] = 1 },
	} {
		var doc map[string]any
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		change(doc)
		if err := s.Validate(doc); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

func imageOf(doc map[string]any) map[string]any {
	return doc["images"].([]any)[0].(map[string]any)
}
