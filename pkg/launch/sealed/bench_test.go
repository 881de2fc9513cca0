package sealed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/servers"
)

// BenchmarkStatic is the whole static judgement of each entrypoint, whose
// script is interpreted in this process, and one in a child.
func BenchmarkStatic(b *testing.B) {
	names, err := filepath.Glob("testdata/entrypoints/*.txtar")
	if err != nil || len(names) == 0 {
		b.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		b.Skip(err)
	}
	judge := func(b *testing.B, name string, interpreter launch.Interpreter) {
		b.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		archive := txtar.Parse(text)
		w, files := want(string(archive.Comment)), image(archive.Files)
		cfg := facts.Config{Entrypoint: split(w["entrypoint"]), Cmd: split(w["cmd"]), Env: split(w["env"]), WorkingDir: w["dir"]}
		for b.Loop() {
			servers.Predict(launch.FollowWith(cfg, nil, files, interpreter), files)
		}
	}
	for _, name := range names {
		b.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(b *testing.B) { judge(b, name, sealed.Here{}) })
	}
	b.Run("child", func(b *testing.B) {
		judge(b, "testdata/entrypoints/unknown-branch.txtar", sealed.Child{Program: program})
	})
}
