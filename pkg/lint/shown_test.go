package lint

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

// TestDiffShowsNoValues: what is printed is redacted, what is written is not.
func TestDiffShowsNoValues(t *testing.T) {
	t.Parallel()
	text := []byte("ENV API_KEY=hunter2hunter2\n")
	r := report.Result{
		Edit:     &report.Edit{Files: []report.EditedFile{{File: "Dockerfile", Before: text, After: text}}, Diff: "-ENV API_KEY=hunter2hunter2\n"},
		Findings: []finding.Finding{{Fix: &finding.Fix{Diff: "+ hunter2hunter2", Text: "hunter2hunter2", Proof: "hunter2hunter2"}}},
	}
	redact(newRedactor([]string{"API_KEY=hunter2hunter2"}), &r)
	fix := r.Findings[0].Fix
	for _, shown := range []string{r.Edit.Diff, fix.Diff, fix.Text, fix.Proof} {
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "[API_KEY]") {
			t.Errorf("%q is shown", shown)
		}
	}
	if string(r.Edit.Files[0].After) != string(text) {
		t.Error("what --fix writes is changed")
	}
}

func TestAgainRepeatsWhatWasTyped(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"":                           {},
		"docker run --rm -e KEY app": {Env: []string{"KEY=hunter2"}},
		"docker run --rm --entrypoint sh app -c 'a b'": {Entrypoint: []string{"sh"}, Command: []string{"-c", "a b"}},
		"docker run --rm -v /a:/b --user 1000 app":     {Volumes: []string{"/a:/b"}, User: "1000"},
		"docker run --rm app gunicorn x":               {Command: []string{"gunicorn", "x"}},
	} {
		if got := o.again("app"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
