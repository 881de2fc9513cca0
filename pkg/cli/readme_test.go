package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/rules"
)

// TestReadme keeps what the README shows equal to what imglint prints and to
// the list of rules.
func TestReadme(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "README.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := replaceBlock(t, string(text), "output: fixtures/loopback-bind/bad.txtar", "output", exampleBlock(t))
	want = replaceBlock(t, want, "rules", "rules", rulesBlock())
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("README.md differs from the code, run UPDATE_DOCS=1 go test ./pkg/cli -run TestReadme (-code +README):\n%s", diff)
	}
}

// replaceBlock puts new text between the two comments that mark a block.
func replaceBlock(t *testing.T, text, begin, end, block string) string {
	t.Helper()
	begin, end = "<!-- begin "+begin+" -->\n", "<!-- end "+end+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("README.md has no block %q", begin)
	}
	return before + begin + block + end + after
}

func exampleBlock(t *testing.T) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("..", "..", "fixtures", "loopback-bind", "bad.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name == "output" {
			return "```\n" + string(f.Data) + "```\n"
		}
	}
	t.Fatal("the example has no recorded output")
	return ""
}

func rulesBlock() string {
	var b strings.Builder
	b.WriteString("| rule | says |\n|---|---|\n")
	for _, r := range rules.All {
		fmt.Fprintf(&b, "| [`%s`](rules/docs/%s.md) | %s |\n", r.ID, r.ID, r.Title)
	}
	return b.String()
}
