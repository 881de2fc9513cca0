package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imglint/imglint/pkg/finding"
)

// workflowCommand is a command as the runner understands it.
type workflowCommand struct {
	name, data string
	properties map[string]string
}

// registered are the runner's commands.
var registered = []string{"error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "set-env", "set-output", "save-state", "add-path", "echo", "stop-commands", "add-matcher"}

// parseLine reads a line of a job's log as actions/runner does
// (ActionCommand.cs, TryParseV2 and TryParse): "::" after leading blanks, or
// "##[" anywhere.
func parseLine(line string) (workflowCommand, bool) {
	if c, ok := parseCommand(strings.TrimLeft(line, " \t\v\f\r\u0085\u00a0"), "::", "::", ","); ok {
		return c, true
	}
	if i := strings.Index(line, "##["); i >= 0 {
		return parseCommand(line[i:], "##[", "]", ";")
	}
	return workflowCommand{}, false
}

func parseCommand(line, prefix, end, separator string) (workflowCommand, bool) {
	rest, ok := strings.CutPrefix(line, prefix)
	info, data, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return workflowCommand{}, false
	}
	name, pairs, _ := strings.Cut(info, " ")
	known := false
	for _, r := range registered {
		known = known || r == name
	}
	c := workflowCommand{name: name, data: unescape.Replace(data), properties: map[string]string{}}
	for _, pair := range strings.Split(strings.TrimSpace(pairs), separator) {
		if key, value, ok := strings.Cut(pair, "="); ok {
			c.properties[key] = unescape.Replace(value)
		}
	}
	return c, known
}

var unescape = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%3B", ";", "%5D", "]", "%25", "%")

func commands(text []byte) []workflowCommand {
	var all []workflowCommand
	for line := range strings.SplitSeq(string(text), "\n") {
		if c, ok := parseLine(line); ok {
			all = append(all, c)
		}
	}
	return all
}

func TestGitHubEscapes(t *testing.T) {
	t.Parallel()
	r := results(t)[0]
	r.Ref = "a,b:c%0Ad\r\ne"
	r.Findings = r.Findings[:1]
	r.Findings[0].Message = "100% sure::error::\nnext, line: %25"
	r.Findings[0].Detail = ""
	r.Findings[0].Place.File = "dir,x/Docker:file%"
	r.Findings[0].Evidence, r.Findings[0].Fix = nil, nil
	format, _ := FindFormat("github")
	var got []workflowCommand
	for _, c := range commands(write(t, format, []Result{r})) {
		if c.name == "error" {
			got = append(got, c)
		}
	}
	want := []workflowCommand{{name: "error", data: `100% sure::error::\x0anext, line: %25`, properties: map[string]string{
		"file": "dir,x/Docker:file%", "line": "5", "endLine": "5", "col": "6", "endColumn": "16",
		"title": `loopback-bind: a,b:c%0Ad\x0d\x0ae`,
	}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(workflowCommand{})); diff != "" {
		t.Errorf("annotations as the runner reads them (-want +got):\n%s", diff)
	}
}

// TestGitHubInjection: a log cannot speak to the runner.
func TestGitHubInjection(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"::error::owned", "  ::set-env name=PATH::/tmp", "##[add-path]/tmp", "x ##[set-env name=A;]b", "\n::add-mask::a", "\u00a0::stop-commands::x",
	} {
		r := results(t)[0]
		r.Ref, r.Reason = evil, evil
		r.Findings = r.Findings[:1]
		f := &r.Findings[0]
		f.Message, f.Detail, f.Place.Source, f.Place.File = evil, evil, evil, evil
		f.Evidence = []finding.Evidence{{Kind: "log", Text: evil}}
		f.Fix.Instruction, f.Fix.Proof = evil, evil
		r.NotChecked = []finding.NotChecked{{What: evil, Why: evil}}
		failed := Result{Ref: evil, Err: errors.New(evil), Verdict: finding.Unknown}
		format, _ := FindFormat("github")
		var names []string
		for _, c := range commands(write(t, format, []Result{r, failed})) {
			names = append(names, c.name)
		}
		want := []string{"group", "endgroup", "error", "notice", "group", "endgroup", "error"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%q: commands the runner sees (-want +got):\n%s", evil, diff)
		}
	}
}

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
	for name, all := range map[string][]Result{"all": results(t), "none": nil, "hostile": hostile(t), "twice": append(results(t), results(t)...)} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, format, all)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
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

// TestReplacementsAreTheDiff applies SARIF's replacements as an editor does
// and compares with what the diff makes.
func TestReplacementsAreTheDiff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, diff string }{
		"replace":     {"a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		"insert":      {"a\nb\n", "a\nx\nb\n", "@@ -1,2 +1,3 @@\n a\n+x\n b\n"},
		"append":      {"a\n", "a\nx\n", "@@ -1 +1,2 @@\n a\n+x\n"},
		"first":       {"a\n", "x\na\n", "@@ -1 +1,2 @@\n+x\n a\n"},
		"delete":      {"a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n"},
		"one to many": {"a\nb", "a\nx\ny", "@@ -1,2 +1,3 @@\n a\n-b\n\\ No newline at end of file\n+x\n+y\n\\ No newline at end of file\n"},
		"two places":  {"a\nb\nc\nd\n", "A\nb\nc\nD\n", "@@ -1,4 +1,4 @@\n-a\n+A\n b\n c\n-d\n+D\n"},
		"two hunks":   {"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "x\na\nb\nc\nd\ne\nf\ng\nh\nI\n", "@@ -1,2 +1,3 @@\n+x\n a\n b\n@@ -8,2 +9,2 @@\n h\n-i\n+I\n"},
		"wide":        {"a\né…b\n", "a\n漢字\n", "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-é…b\n+漢字\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.old
			all := replacements(c.diff)
			for i := len(all) - 1; i >= 0; i-- { // from the end, so that earlier places stay
				start, end := offset(got, all[i].Deleted.StartLine, all[i].Deleted.StartColumn), offset(got, all[i].Deleted.EndLine, all[i].Deleted.EndColumn)
				got = got[:start] + all[i].Inserted.Text + got[end:]
			}
			if diff := cmp.Diff(c.new, got); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
		})
	}
}

// offset is the byte at which a line's column of characters begins.
func offset(text string, line, column int) int {
	at := 0
	for range line - 1 {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	for range column - 1 {
		at += len(string([]rune(text[at:])[:1]))
	}
	return at
}

func FuzzDiff(f *testing.F) {
	f.Add("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
	f.Add("@@ -0,0 +1 @@\n+x\n\\ No newline at end of file")
	f.Add("@@ -9999999999999999999 +1 @@\n")
	f.Fuzz(func(t *testing.T, diff string) {
		for _, r := range replacements(diff) {
			if r.Deleted.EndLine < r.Deleted.StartLine && r.Deleted.StartLine > 0 {
				t.Errorf("%q: ends before it starts: %+v", diff, r.Deleted)
			}
		}
	})
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

// TestMarkdownIsBounded: GitHub takes no summary above 1 MiB.
func TestMarkdownIsBounded(t *testing.T) {
	t.Parallel()
	var many []Result
	for one := results(t)[0]; len(many) < 2000; {
		many = append(many, one)
	}
	var b bytes.Buffer
	if err := Markdown(&b, many); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 1<<20 || !strings.Contains(b.String(), "more images are left out") {
		t.Errorf("%d bytes", b.Len())
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
