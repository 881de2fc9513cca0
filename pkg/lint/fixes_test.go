package lint

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

// notMechanical are the rules whose errors no exact edit mends, and why.
var notMechanical = map[string]string{
	"command-not-found":       "what is missing has to be installed, copied or spelled right",
	"no-command":              "which program serves is not in the image",
	"interactive-command":     "which program serves is not in the image",
	"exits-at-once":           "the program's own fault: its log says which",
	"missing-environment":     "the value is a secret of the deployment",
	"unreachable-dependency":  "the other service is not part of the image",
	"out-of-memory":           "the limit is the platform's, the need the program's",
	"never-listens":           "a worker, or a program whose code does not listen",
	"not-http":                "the platform needs another kind of endpoint",
	"tls-on-port":             "the platform's endpoint or the server's TLS has to change",
	"slow-boot":               "the program's own work, or a setting of the platform",
	"slow-response":           "the program's own work",
	"status-refused":          "the program's own routes",
	"host-refused":            "a setting in the program's code",
	"https-redirect":          "a setting in the program's code",
	"wrong-architecture":      "the program has to be built for another CPU",
	"root-refused":            "which user may run it is the author's to say",
	"broken-healthcheck":      "what the check is to ask is the author's to say",
	"background-process":      "which process the container is for is the author's to say",
	"wrong-endpoint-port":     "proved in the run of a further port, which is not recorded",
	"command-not-executable":  "no #! line, or a directory, or a mode that a RUN sets",
	"daemonizes":              "the program's own code forks",
	"unexposed-port":          "the port is a setting of the platform, which does not read EXPOSE",
	"gunicorn-worker-timeout": "the boot needs longer than the platform waits",
}

// provedBefore is how many were proved when that was last looked at.
const provedBefore = 56

// TestShare measures, of the recorded fixtures, how many findings carry the
// exact line, and how many failing images have a fix that was run and helped.
// One without needs a reason.
func TestShare(t *testing.T) {
	t.Parallel()
	var found, placed, failing, proved, partly int
	var rest []string
	for _, f := range fixtures(t) {
		recorded, ok := f.section("facts.json")
		if !ok {
			continue
		}
		r := judged(f.options(t), decodeFacts(t, recorded), false)
		if len(r.Findings) > 0 {
			found++
			if first := r.Findings[0].Place; first.Line > 0 {
				placed++
			} else {
				rest = append(rest, fmt.Sprintf("%s: %s has no line (%s)", f.name, r.Findings[0].Rule, first.Source))
			}
		}
		if r.Verdict != finding.Fail {
			continue
		}
		failing++
		switch how, why := fixedHow(r); how {
		case "proved":
			proved++
		case "partly":
			partly++
		default:
			rest = append(rest, fmt.Sprintf("%s: %s", f.name, why))
			if strings.HasSuffix(why, ": ") {
				t.Errorf("%s: %s: no proved fix and no reason in notMechanical", f.name, why)
			}
		}
	}
	slices.Sort(rest)
	t.Logf("%d of %d fixtures with findings carry the exact line of the first", placed, found)
	t.Logf("%d of %d failing fixtures have a proved fix, %d more one that mends the first of two faults", proved, failing, partly)
	t.Logf("the rest:\n%s", strings.Join(rest, "\n"))
	if placed*100 < found*95 || proved < provedBefore {
		t.Error("fewer than were measured before")
	}
}

// fixedHow tells whether an error's fix was run and helped, else why there is none.
func fixedHow(r report.Result) (how, why string) {
	for _, f := range r.Findings {
		if f.Severity != finding.Error {
			continue
		}
		if f.Fix != nil && f.Fix.Verified != nil && *f.Fix.Verified {
			return "proved", ""
		}
		if f.Fix != nil && f.Fix.Partial {
			how = "partly"
		}
		if why == "" {
			why = f.Rule + ": " + notMechanical[f.Rule]
			if r.Facts.Workload != nil {
				why = f.Rule + ": the manifest decides, which imglint does not edit"
			}
		}
	}
	return how, why
}

// TestDiffsApply holds every diff against git apply, and the JSON against its schema.
func TestDiffsApply(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", "imglint.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			recorded, ok := f.section("facts.json")
			if !ok {
				t.Skip("not recorded")
			}
			r := judged(f.options(t), decodeFacts(t, recorded), false)
			var b bytes.Buffer
			if err := report.JSON(&b, []report.Result{r}); err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(&b)
			if err == nil {
				err = schema.Validate(doc)
			}
			if err != nil {
				t.Error(err)
			}
			dir := ""
			for _, x := range r.Findings {
				if x.Fix == nil || x.Fix.Diff == "" {
					continue
				}
				if dir == "" {
					dir = f.unpacked(t)
				}
				apply := exec.CommandContext(t.Context(), "git", "apply", "--check", "-")
				apply.Dir, apply.Stdin = dir, strings.NewReader(x.Fix.Diff)
				if out, err := apply.CombinedOutput(); err != nil {
					t.Errorf("%s: git apply: %v\n%s%s", x.Rule, err, out, x.Fix.Diff)
				}
			}
		})
	}
}

// unpacked is a directory with the fixture's build context.
func (f fixture) unpacked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range f.archive.Files {
		if slices.Contains(truths, file.Name) {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBareDockerfiles reads every fixture without building it. It says nothing
// that the built image does not bear out, and of what that has wrong it says it
// too, or why it cannot know.
func TestBareDockerfiles(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			o := f.options(t)
			o.Static, o.Dockerfile = true, Dockerfile{}
			l := &Linter{Sources: []Source{FromDockerfiles(Build{})}, Options: o}
			r := l.Lint(t.Context(), f.unpacked(t), quiet{})
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			want, _ := f.section("want-static")
			seen, _ := f.section("want")
			for _, x := range r.Findings {
				if x.Severity > finding.Note && !strings.Contains(want+seen, " "+x.Rule+"\n") {
					t.Errorf("says %s %s, of which the built image has nothing: %s", x.Severity, x.Rule, x.Message)
				}
			}
			for _, line := range strings.Split(strings.TrimSpace(want), "\n")[1:] {
				_, rule, _ := strings.Cut(line, " ")
				same := func(x finding.Finding) bool { return x.Rule == rule }
				if !slices.ContainsFunc(r.Findings, same) && len(r.NotChecked) == 0 && r.Facts.Launch.Why == "" {
					t.Errorf("does not say %s, and not why", rule)
				}
			}
		})
	}
}
