package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/run/engine"
)

// TestUnansweredConnection: on a network that drops what it does not know, a
// connection hangs where it fails at once without a network. The program says
// nothing about it, and the finding names the address, and the user's variable
// without its value.
func TestUnansweredConnection(t *testing.T) {
	if !*confirm && os.Getenv("IMGLINT_CONFIRM") == "" {
		t.Skip("needs an engine: make confirm")
	}
	name := fmt.Sprintf("imglint-fixture-unanswered-%d", os.Getpid()) // a killed test leaves its network
	docker(t, "network", "create", "--internal", "--label", "dev.imglint.fixture=network", name)
	t.Cleanup(func() { docker(t, "network", "rm", name) })
	e, err := engine.Connect(t.Context(), engine.Options{Network: name})
	if err != nil {
		t.Fatal(err)
	}
	defer closeEngine(t, e)
	all := fixtures(t)
	f := all[slices.IndexFunc(all, func(f fixture) bool { return f.name == "unreachable-dependency/given-by-the-user" })]
	o := f.options(t)
	o.Overrides.BootWindow, o.Prove, o.Dockerfile = 5*time.Second, false, Dockerfile{}
	l := &Linter{Sources: []Source{FromEngine(e)}, Options: o}
	r := l.Lint(t.Context(), f.build(t), quiet{})
	if err := l.Close(); err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Rule != "unreachable-dependency" {
		t.Fatalf("findings %+v", r.Findings)
	}
	said, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"10.9.8.7:5432", "the address in DATABASE_URL", "no answer"} {
		if !strings.Contains(r.Findings[0].Message, word) {
			t.Errorf("does not say %q: %s", word, r.Findings[0].Message)
		}
	}
	if bytes.Contains(said, []byte("correct-horse")) {
		t.Errorf("shows the secret: %s", said)
	}
}

func docker(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
		t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
