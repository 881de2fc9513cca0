package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/platform"
)

// TestDocsPlatforms keeps docs/platforms equal to the catalogue.
func TestDocsPlatforms(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "docs", "platforms")
	want := map[string]string{"README.md": platformIndex(t)}
	for _, name := range platform.Names() {
		want[name+".md"] = platformPage(t, name)
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		rewrite(t, dir, want)
		return
	}
	got := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(name)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/platforms differs from the catalogue, run UPDATE_DOCS=1 go test ./pkg/cli -run TestDocsPlatforms (-code +docs):\n%s", diff)
	}
}

// rewrite replaces a folder by the files that are wanted.
func rewrite(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func loaded(t *testing.T, name string) *platform.Platform {
	t.Helper()
	p, err := platform.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func platformIndex(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Platforms\n\nWhat each platform asks of an image, and how imglint knows. `imglint platforms NAME`\n" +
		"prints the same. Generated from pkg/platform/catalogue; a correction with a source\nis welcome there.\n\n" +
		"| `--platform` | | port | boot window |\n|---|---|---|---|\n")
	for _, name := range platform.Names() {
		p := loaded(t, name)
		claims := map[string]string{}
		for _, c := range p.Contract() {
			claims[c.Topic+" "+c.Name] = c.Text
		}
		fmt.Fprintf(&b, "| [`%s`](%s.md) | %s | %s | %s |\n", name, name, cellText(p.Title), cellText(claims["endpoint chosen by"]), cellText(claims["boot window default"]))
	}
	return b.String()
}

func platformPage(t *testing.T, name string) string {
	t.Helper()
	p := loaded(t, name)
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n`imglint --platform %s IMAGE`, as of %s. Generated from\n[the catalogue](../../pkg/platform/catalogue); a correction with a source is welcome there.\n", p.Title, name, p.AsOf)
	topic := ""
	for _, c := range p.Contract() {
		if c.Topic != topic {
			topic = c.Topic
			fmt.Fprintf(&b, "\n## %s\n\n| | | how it is known |\n|---|---|---|\n", topic)
		}
		known, text := "", c.Text
		if c.Known {
			known = fmt.Sprintf("%s: %s", c.Confidence, c.Source)
		}
		if c.Note != "" {
			text += " (" + c.Note + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cellText(c.Name), cellText(text), cellText(known))
	}
	b.WriteString("\n## sources\n\n")
	for _, key := range slices.Sorted(maps.Keys(p.Sources)) {
		fmt.Fprintf(&b, "- **%s**: %s\n", key, strings.Join(strings.Fields(p.Sources[key]), " "))
	}
	return b.String()
}

// cellText keeps a text within one cell of a table.
func cellText(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`, "_", `\_`, "\n", " ").Replace(text)
}
