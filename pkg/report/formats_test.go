package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/finding"
)

func TestRepository(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"app": "app", "app:v1": "app", "host:5000/app": "host:5000/app", "host:5000/app:v1": "host:5000/app",
		"app@sha256:00": "app", "app:v1@sha256:00": "app", "@sha256:0": "@sha256:0", ":x": ":x",
	} {
		if got := repository(ref); got != want {
			t.Errorf("repository(%q) = %q, want %q", ref, got, want)
		}
	}
}

func TestRuleURL(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"loopback-bind":       "https://github.com/imglint/imglint/blob/main/rules/docs/loopback-bind.md",
		"JSONArgsRecommended": "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
		"FromAsCasing":        "https://docs.docker.com/go/dockerfile/rule/from-as-casing/",
		"../x?y#z":            "https://github.com/imglint/imglint/blob/main/rules/docs/..%2Fx%3Fy%23z.md",
	} {
		if got := ruleURL(id); got != want {
			t.Errorf("ruleURL(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestJUnitCounts(t *testing.T) {
	t.Parallel()
	format, _ := FindFormat("junit")
	text := write(t, format, append(results(t), hostile(t)...))
	var report junitReport
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	var got, want [3]int
	for _, s := range report.Suites {
		for _, c := range s.Cases {
			got[0]++
			if c.Failure != nil {
				got[1]++
			}
			if c.Error != nil {
				got[2]++
			}
		}
	}
	want = [3]int{report.Tests, report.Failures, report.Errors}
	if got != want {
		t.Errorf("tests, failures, errors are %v and the report says %v", got, want)
	}
	if report.Errors != 1 || report.Failures == 0 {
		t.Errorf("failures %d, errors %d", report.Failures, report.Errors)
	}
}

// TestGitLab holds the report against what GitLab requires of an entry.
func TestGitLab(t *testing.T) {
	t.Parallel()
	format, _ := FindFormat("gitlab")
	var issues []map[string]any
	if err := json.Unmarshal(write(t, format, results(t)), &issues); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	severities := regexp.MustCompile(`^(info|minor|major|critical|blocker)$`)
	for _, i := range issues {
		location, _ := i["location"].(map[string]any)
		lines, _ := location["lines"].(map[string]any)
		begin, _ := lines["begin"].(float64)
		mark, _ := i["fingerprint"].(string)
		path, _ := location["path"].(string)
		severity, _ := i["severity"].(string)
		if i["description"] == "" || i["check_name"] == "" || begin < 1 || mark == "" || seen[mark] || path == "" || strings.HasPrefix(path, "./") || !severities.MatchString(severity) {
			t.Errorf("GitLab would not take %v", i)
		}
		seen[mark] = true
	}
	if len(issues) != 7 {
		t.Errorf("%d entries", len(issues))
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	format, _ := FindFormat("jsonl")
	lines := bufio.NewScanner(bytes.NewReader(write(t, format, hostile(t))))
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var image Image
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&image); err != nil {
			t.Fatal(err)
		}
		if image.Image != strings.ToValidUTF8(hostileTexts[n], "\ufffd") {
			t.Errorf("line %d is about %q, want %q", n, image.Image, hostileTexts[n])
		}
	}
	if n != len(hostileTexts) {
		t.Errorf("%d lines, want %d", n, len(hostileTexts))
	}
}

func TestMarkdownEscapes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a_b*c":              `a\_b\*c`,
		"<img src=x>":        `\<img src=x\>`,
		"[x](http://e.com)":  `\[x\](http://e.com)`,
		"- no list":          `\- no list`,
		"a|b #1 @you":        `a\|b \#1 \@you`,
		"line\nbreak\x1b[0m": `line\\x0abreak\\x1b\[0m`,
	} {
		if got := escapeMarkdown(text); got != want {
			t.Errorf("escapeMarkdown(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"a": "`a`", "a`b": "``a`b``", "`": "`` ` ``", "": "", "```": "```` ``` ````"} {
		if got := inlineCode(text); got != want {
			t.Errorf("inlineCode(%q) = %q, want %q", text, got, want)
		}
	}
	if got, want := fenced("diff", "a\r\n```\n"), "````diff\na\n```\n````\n"; got != want {
		t.Errorf("fenced = %q, want %q", got, want)
	}
	if got, want := cell("`a|b`"), "`a\\|b`"; got != want {
		t.Errorf("cell = %q, want %q", got, want)
	}
}

// TestMarkdownIsBounded: GitHub takes no summary above 1 MiB, and no comment
// above 65,536 characters. One image that is too much alone is cut, not lost.
func TestMarkdownIsBounded(t *testing.T) {
	t.Parallel()
	one := results(t)[0]
	var many []Result
	for len(many) < 2000 {
		many = append(many, one)
	}
	long := one
	long.Findings = append([]finding.Finding{}, one.Findings...)
	long.Findings[0].Evidence = []finding.Evidence{{Kind: "log", Text: strings.Repeat("x", maxSummary)}}
	for name, c := range map[string]struct {
		results []Result
		write   func(io.Writer, []Result) error
		limit   int
		want    string
	}{
		"summary of many": {many, Markdown, 1 << 20, "more images left out"},
		"comment of many": {many, func(w io.Writer, r []Result) error { return markdown(w, About{}, r) }, maxComment, "more images left out"},
		"summary of one":  {[]Result{long}, Markdown, 1 << 20, "[loopback-bind]"},
		"comment of one":  {[]Result{long}, func(w io.Writer, r []Result) error { return markdown(w, About{}, r) }, maxComment, "[loopback-bind]"},
	} {
		var b bytes.Buffer
		if err := c.write(&b, c.results); err != nil {
			t.Fatal(err)
		}
		if b.Len() > c.limit || !strings.Contains(b.String(), c.want) {
			t.Errorf("%s: %d bytes, or no %q", name, b.Len(), c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Summary(&b, results(t)[3:], Style{}); err != nil {
		t.Fatal(err)
	}
	const want = `
image                            verdict      answered  findings
shop/passes:v1                   PASS         0.4 s     no findings
shop/wrong-endpoint-port:v1      FAIL         –         1 error
shop/gunicorn-worker-timeout:v1  UNKNOWN      –         1 warning
registry.example/missing:v1      NOT CHECKED  –         not checked
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestMatrixSummary(t *testing.T) {
	t.Parallel()
	all := results(t)
	var b bytes.Buffer
	if err := MatrixSummary(&b, [][]Result{{all[0], all[3]}, {all[6]}}, Style{}); err != nil {
		t.Fatal(err)
	}
	const want = `
image                        pass  fail  unknown
shop/loopback-bind:v1           1     1        0
registry.example/missing:v1  NOT CHECKED
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

// brokenWriter takes nothing.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestFullDisk: a report that could not be written is not passed over.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		err := errors.New("")
		if f.All != nil {
			err = f.All(brokenWriter{}, about(), results(t))
		} else {
			err = f.Each(brokenWriter{}, about(), results(t)[0])
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
