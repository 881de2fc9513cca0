package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/imglint/imglint/"

// layers says which packages of ours each package may import.
var layers = map[string][]string{
	"pkg/finding":               {},
	"pkg/facts":                 {"pkg/finding"},
	"pkg/rule":                  {"pkg/facts", "pkg/finding"},
	"pkg/launch":                {"pkg/facts", "pkg/finding"},
	"pkg/launch/sealed":         {"pkg/launch", "pkg/facts"},
	"pkg/servers":               {"pkg/facts"},
	"pkg/mend":                  {"pkg/facts", "pkg/finding"},
	"pkg/platform":              {"pkg/facts"},
	"pkg/manifest":              {"pkg/finding"},
	"pkg/image":                 {"pkg/facts"},
	"pkg/dockerfile":            {"pkg/facts", "pkg/finding"},
	"pkg/probe":                 {"pkg/facts", "pkg/probe/cage"},
	"pkg/probe/cage":            {},
	"pkg/probe/embed":           {},
	"pkg/run":                   {"pkg/facts", "pkg/probe"},
	"pkg/run/engine":            {"pkg/facts", "pkg/probe", "pkg/probe/embed", "pkg/run"},
	"pkg/run/engine/enginetest": {}, // of tests
	"pkg/run/local":             {"pkg/facts", "pkg/probe", "pkg/probe/cage", "pkg/probe/embed", "pkg/run", "pkg/run/local/layers"},
	"pkg/run/local/layers":      {"pkg/probe/cage"},
	"rules":                     {"pkg/rule", "pkg/facts", "pkg/finding"},
	"pkg/report":                {"pkg/facts", "pkg/finding"},
	"pkg/review":                {"pkg/report"},
	"pkg/ignore":                {"pkg/finding"},
	"pkg/config":                {"pkg/finding", "pkg/ignore"},
	"pkg/hook":                  {},
	"pkg/lint": {
		"pkg/dockerfile", "pkg/facts", "pkg/finding", "pkg/ignore", "pkg/image", "pkg/launch", "pkg/manifest", "pkg/mend", "pkg/platform", "pkg/report",
		"pkg/rule", "pkg/run", "pkg/run/engine", "pkg/run/local", "pkg/run/local/layers", "pkg/servers",
	},
	"pkg/cli": {
		"pkg/launch", "pkg/launch/sealed",
		"pkg/config", "pkg/hook", "pkg/ignore", "pkg/facts", "pkg/finding", "pkg/lint", "pkg/manifest", "pkg/platform", "pkg/probe", "pkg/probe/embed", "pkg/report", "pkg/review", "pkg/rule", "pkg/run",
		"pkg/run/engine", "pkg/run/local", "rules",
	},
	"cmd/imglint": {"pkg/cli"},
	"cmd/probe":   {"pkg/probe"},
}

// only names the one package that may import a heavy module.
var only = map[string]string{
	"github.com/docker/docker/":                  "pkg/run/engine",
	"github.com/google/go-containerregistry/":    "pkg/image",
	"github.com/moby/buildkit/":                  "pkg/dockerfile",
	"github.com/spf13/cobra":                     "pkg/cli",
	"github.com/santhosh-tekuri/jsonschema/":     "tests",
	"github.com/aymanbagabas/go-udiff":           "pkg/dockerfile",
	"github.com/google/go-containerregistry/pkg": "pkg/image",
}

// pure packages do no input or output of their own.
var pure = []string{"pkg/finding", "pkg/facts", "pkg/rule", "pkg/launch", "pkg/mend", "pkg/servers", "pkg/platform", "pkg/manifest", "rules"}

var impure = []string{"os", "os/exec", "net", "net/http", "syscall", "log"}

// The sizes that keep code readable; see CONTRIBUTING.
const (
	longestFunction = 60
	longestFile     = 400
)

// source is one Go file of the repository.
type source struct {
	pkg, name string
	file      *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			if d != nil && d.IsDir() && err == nil {
				return fs.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all = append(all, source{filepath.ToSlash(filepath.Dir(rel)), filepath.ToSlash(rel), file, fset})
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("walk sources: %v (%d files)", err, len(all))
	}
	return all
}

func TestLayers(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		allowed, known := layers[s.pkg]
		if !known {
			t.Errorf("%s: package %s has no place in the layers", s.name, s.pkg)
			continue
		}
		for _, spec := range s.file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(path, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, which its layer does not allow", s.name, ours)
			}
			for heavy, owner := range only {
				if strings.HasPrefix(path, heavy) && s.pkg != owner {
					t.Errorf("%s imports %s, which only %s may", s.name, path, owner)
				}
			}
			if slices.Contains(pure, s.pkg) && slices.Contains(impure, path) {
				t.Errorf("%s imports %s, but %s is pure", s.name, path, s.pkg)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if lines := s.fset.File(s.file.Pos()).LineCount(); lines > longestFile {
			t.Errorf("%s has %d lines, more than %d", s.name, lines, longestFile)
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; lines > longestFunction {
				t.Errorf("%s: %s has %d lines, more than %d", s.name, f.Name, lines, longestFunction)
			}
		}
	}
}

// TestDocumented wants a comment on every package and exported name.
func TestDocumented(t *testing.T) {
	t.Parallel()
	packages := map[string]bool{}
	for _, s := range sources(t) {
		packages[s.pkg] = packages[s.pkg] || s.file.Doc != nil
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverExported(d) {
					t.Errorf("%s: %s has no comment", s.name, d.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
	for pkg, ok := range packages {
		if !ok {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	expr := d.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	name, ok := expr.(*ast.Ident)
	return ok && name.IsExported()
}

func undocumented(t *testing.T, s source, d *ast.GenDecl) {
	if d.Doc != nil {
		return
	}
	for _, spec := range d.Specs {
		switch v := spec.(type) {
		case *ast.TypeSpec:
			if v.Name.IsExported() && v.Doc == nil {
				t.Errorf("%s: type %s has no comment", s.name, v.Name)
			}
		case *ast.ValueSpec:
			if v.Names[0].IsExported() && v.Doc == nil && v.Comment == nil {
				t.Errorf("%s: %s has no comment", s.name, v.Names[0])
			}
		}
	}
}
