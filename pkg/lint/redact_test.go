package lint

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	const secret = "postgres://u:hunter2@db/shop"
	env := []string{"DATABASE_URL=" + secret, "API_KEY=abcd", "PORT=8000", "MODE=prod", "LONG=0123456789"}
	r := report.Result{
		Ref: "app",
		Facts: &facts.Facts{
			Launch: facts.Launch{Command: facts.Command{Argv: []facts.Word{{Text: "--db=" + secret}}, Env: env}},
			Run: &facts.Run{
				Argv:   []string{"app", secret},
				Events: []facts.Event{{Kind: facts.EventProcess, Process: &facts.Process{Argv: []string{secret}}}},
				Log:    facts.Log{Lines: []facts.LogLine{{Text: "using " + secret + " and abcd on 8000 in prod"}}},
			},
		},
		Findings: []finding.Finding{{Severity: finding.Error, Message: secret, Evidence: []finding.Evidence{{Text: secret}}, Fix: &finding.Fix{Instruction: secret}}},
	}
	redact(newRedactor(env), &r)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{secret, "hunter2", "abcd", "0123456789"} {
		if strings.Contains(string(text), value) {
			t.Errorf("the result still holds %q: %s", value, text)
		}
	}
	if got, want := r.Facts.Run.Log.Lines[0].Text, "using [DATABASE_URL] and [API_KEY] on 8000 in prod"; got != want {
		t.Errorf("log line %q, want %q", got, want)
	}
}

// TestRedactPassword: a client that fails prints the parts of the address that
// it was given.
func TestRedactPassword(t *testing.T) {
	t.Parallel()
	r := newRedactor([]string{
		"DATABASE_URL=postgres://shop:correct-horse@db:5432/shop", "CACHE_URL=redis://:battery-staple@cache",
		"QUEUE_URL=amqp://rabbitmq:rabbitmq@queue", "OTHER=shop:x@y z", "SHORT_URL=redis://:abc@cache",
	})
	tests := map[string]string{
		"user=shop password=correct-horse host=db":         "user=shop password=[password of DATABASE_URL] host=db",
		"AUTH battery-staple":                              "AUTH [password of CACHE_URL]",
		"using postgres://shop:correct-horse@db:5432/shop": "using [DATABASE_URL]",
		"rabbitmq is not there":                            "rabbitmq is not there",
		"abcdef":                                           "abcdef",
	}
	for text, want := range tests {
		if got := r.Replace(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
