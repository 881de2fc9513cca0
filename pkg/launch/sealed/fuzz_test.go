package sealed_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
)

// hungry attacks want more memory than a fuzzer's worker should use; the child's limits are for them.
var hungry = []string{"doubling", "doubling arguments", "recursion", "mutual recursion", "writes for ever", "wide printf"}

// FuzzInterpret: no script makes the machine panic, and no unknown leaks out
// as if it were text.
func FuzzInterpret(f *testing.F) {
	for name, text := range attacks {
		if !strings.Contains(strings.Join(hungry, ","), name) {
			f.Add(text)
		}
	}
	names, err := filepath.Glob("testdata/entrypoints/*.txtar")
	if err != nil || len(names) == 0 {
		f.Fatalf("no entrypoints: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(txtar.Parse(text).Files[0].Data))
	}
	files := fstest.MapFS{
		"lib.sh": {Data: []byte("A=1\n")}, "bin/curl": {Mode: 0o755}, "d/x": {}, "etc/passwd": {Data: []byte("root:x:0:0::/root:/bin/sh\n")},
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 || strings.Contains(text, "x=$x") {
			t.Skip()
		}
		script := launch.Script{
			Name: "/ep.sh", Text: text, Dir: "/", Env: []string{"PATH=/bin", "PORT=1"}, Unknown: []string{"U"},
			Params: []facts.Word{{Text: "web", Known: true}, {Text: "$X"}},
		}
		ways, err := sealed.Here{}.Interpret(script, files)
		if err != nil {
			return
		}
		for _, w := range ways.Ways {
			if w.End == "" {
				t.Errorf("a way has no end: %+v", w)
			}
			if w.Command == nil {
				continue
			}
			for _, word := range w.Command.Argv {
				if strings.ContainsFunc(word.Text, func(r rune) bool { return r >= '\ue000' && r <= '\uf8ff' }) {
					t.Errorf("an unknown leaks into %q", word.Text)
				}
			}
		}
	})
}
