package sealed_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
)

const elf = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"

// image is Debian's shells and users with a case's files on top.
func image(files []txtar.File) fstest.MapFS {
	image := fstest.MapFS{
		"etc/passwd": {Data: []byte("root:x:0:0::/root:/bin/sh\nredis:x:999:999::/:/bin/sh\npostgres:x:70:70::/:/bin/sh\nmysql:x:998:998::/:/bin/sh\n"), Mode: 0o644},
		"etc/group":  {Data: []byte("root:x:0:\nredis:x:999:\npostgres:x:70:\nmysql:x:998:\n"), Mode: 0o644},
		"var/lib":    {Mode: fs.ModeDir | 0o755},
	}
	for _, name := range []string{"bin/sh", "usr/bin/env", "bin/bash"} {
		image[name] = &fstest.MapFile{Data: []byte(elf), Mode: 0o755}
	}
	for _, f := range files {
		data, mode := string(f.Data), fs.FileMode(0o644)
		if strings.HasPrefix(data, "#!") {
			mode = 0o755
		}
		if strings.HasPrefix(data, "#!ELF") {
			data = elf
		}
		image[f.Name] = &fstest.MapFile{Data: []byte(data), Mode: mode}
	}
	return image
}

// want is what a case's head says in "key: value" lines.
func want(head string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(head) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.Contains(key, " ") && key == strings.ToLower(key) {
			values[key] = strings.TrimSpace(value)
		}
	}
	return values
}

// split cuts a line at blanks outside double quotes.
func split(line string) []string {
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

func spell(c facts.Command) string {
	var words []string
	for _, w := range c.Argv {
		text := w.Text
		switch {
		case !w.Known:
			text = "<" + text + ">"
		case strings.Contains(text, " "):
			text = `"` + text + `"`
		}
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

func spellAll(commands []facts.Command) string {
	var all []string
	for _, c := range commands {
		all = append(all, spell(c))
	}
	return strings.Join(all, " | ")
}

// TestEntrypoints follows entrypoint scripts in the styles of public images.
func TestEntrypoints(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/entrypoints/*.txtar")
	if err != nil || len(names) < 14 {
		t.Fatalf("%d cases, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(text)
			w := want(string(archive.Comment))
			l := launch.FollowWith(facts.Config{
				Entrypoint: split(w["entrypoint"]), Cmd: split(w["cmd"]), Env: split(w["env"]), WorkingDir: w["dir"], User: w["as"],
			}, nil, image(archive.Files), sealed.Here{})
			got := map[string]string{
				"command": spell(l.Command), "known": string(l.Known), "user": l.Command.User, "before": spellAll(l.Before),
				"background": spellAll(l.Background), "shell": l.Shell, "ends": l.Ends, "why": l.Why,
			}
			if len(l.Alternatives) > 0 {
				got["alternatives"] = strings.Join(l.Alternatives[0].Argv, " ")
			}
			for file, text := range l.Written {
				got["written"] = file + "=" + strings.TrimSpace(text)
			}
			for _, key := range []string{"command", "known", "user", "before", "background", "shell", "ends", "why", "alternatives", "written"} {
				wanted, ok := w[key]
				if ok && wanted != got[key] || !ok && got[key] != "" && key != "before" && key != "shell" && key != "why" {
					t.Errorf("%s: %s", key, cmp.Diff(wanted, got[key]))
				}
			}
			if t.Failed() {
				t.Logf("why %q, trail %q", l.Why, l.Trail)
			}
		})
	}
}

// TestChild: a child says what this process would, and gets nothing but the
// image's files.
func TestChild(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	files := image([]txtar.File{{Name: "lib.sh", Data: []byte("PORT=$((40 + 2))\n")}, {Name: "d/a.sh", Data: []byte("x")}, {Name: "bin/hostname", Data: []byte("#!ELF")}})
	script := launch.Script{
		Name: "/ep.sh", UID: 0, Dir: "/", Env: []string{"PATH=/bin"}, Params: []facts.Word{{Text: "server", Known: true}},
		Text: ". /lib.sh\nfor f in /d/*; do L=$f; done\ncurl x || [ -f /lib.sh ]\nexec \"$1\" $PORT $L $(hostname)\n",
	}
	want, err := sealed.Here{}.Interpret(script, files)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sealed.Child{Program: program}.Interpret(script, files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("child: -here +child\n%s", diff)
	}
	if text := spell(*got.Ways[0].Command); text != "server 42 /d/a.sh <$(hostname)>" {
		t.Errorf("command %q", text)
	}
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == sealed.Argument {
		os.Exit(sealed.Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}
