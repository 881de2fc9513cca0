package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		"title": `loopback-bind: a,b:c%0Ad\x0d\x0ae on aptible`,
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
