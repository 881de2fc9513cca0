package rules

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/rule"
)

var update = flag.Bool("update", false, "rewrite the rule pages")

// TestPages keeps the pages equal to the rules' comments and fixtures.
func TestPages(t *testing.T) {
	comments := ruleComments(t)
	var want []string
	for _, r := range All {
		name := filepath.Join("docs", r.ID+".md")
		want = append(want, r.ID+".md")
		page := makePage(t, r, comments[r.ID])
		if *update {
			if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, _ := Page(r.ID)
		if diff := cmp.Diff(page, got); diff != "" {
			t.Errorf("%s differs from the code, run go test ./rules -update (-code +page):\n%s", name, diff)
		}
	}
	entries, err := os.ReadDir("docs")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(want, e.Name()) {
			t.Errorf("docs/%s is the page of no rule", e.Name())
		}
	}
}

// TestNames keeps the five spellings of a rule's name alike: variable, file,
// ID, page and folder of fixtures.
func TestNames(t *testing.T) {
	t.Parallel()
	comments := ruleComments(t)
	for _, r := range All {
		file := strings.ReplaceAll(r.ID, "-", "_") + ".go"
		if _, err := os.Stat(file); err != nil {
			t.Errorf("rule %s is not in %s", r.ID, file)
		}
		if comments[r.ID] == "" {
			t.Errorf("rule %s has no comment", r.ID)
		}
		for _, part := range []string{"fail", "Fix: "} {
			if !strings.Contains(comments[r.ID], part) {
				t.Errorf("the comment of rule %s does not say %q", r.ID, part)
			}
		}
		for _, fixture := range []string{"bad", "good"} {
			if _, err := os.Stat(fixturePath(r.ID, fixture)); err != nil {
				t.Errorf("rule %s has no fixture: %v", r.ID, err)
			}
		}
	}
}

func fixturePath(id, name string) string {
	return filepath.Join("..", "fixtures", id, name+".txtar")
}

// ruleComments maps the ID of every rule to the comment above its variable.
func ruleComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR && d.Doc != nil {
				if id := ruleID(d.Specs[0]); id != "" {
					comments[id] = d.Doc.Text()
				}
			}
		}
	}
	return comments
}

// ruleID returns the ID in `var X = &rule.Rule{ID: "…"}`.
func ruleID(spec ast.Spec) string {
	var id string
	ast.Inspect(spec, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isIdent := kv.Key.(*ast.Ident)
		value, isLit := kv.Value.(*ast.BasicLit)
		if isIdent && isLit && key.Name == "ID" {
			id, _ = strconv.Unquote(value.Value)
		}
		return true
	})
	return id
}

func makePage(t *testing.T, r *rule.Rule, comment string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s (%s)\n\n", r.ID, r.Title, r.Severity)
	for _, label := range []string{"Why it fails:", "Why it may fail:", "Fix:"} {
		comment = strings.ReplaceAll(comment, label, "**"+label+"**")
	}
	variable, rest, _ := strings.Cut(comment, " ")
	if !strings.EqualFold(variable, strings.ReplaceAll(r.ID, "-", "")) {
		t.Errorf("the comment of rule %s begins with %q, not with its variable", r.ID, variable)
	}
	b.WriteString("`" + r.ID + "` " + rest)
	example(t, &b, "Bad", fixturePath(r.ID, "bad"))
	example(t, &b, "Good", fixturePath(r.ID, "good"))
	return b.String()
}

func example(t *testing.T, b *strings.Builder, title, name string) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		switch f.Name {
		case "Dockerfile":
			fmt.Fprintf(b, "\n## %s\n\n```Dockerfile\n%s```\n", title, f.Data)
		case "output":
			fmt.Fprintf(b, "\nimglint says:\n\n```\n%s```\n", f.Data)
		}
	}
}
