package mend

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func launched(words ...string) facts.Launch {
	l := facts.Launch{Scripts: []string{"/start.sh"}, Command: facts.Command{Dir: "/srv"}}
	for _, w := range words {
		l.Command.Argv = append(l.Command.Argv, facts.Word{Text: w, Known: true})
	}
	return l
}

// TestScriptEdits makes each edit of a script; want is "" where there is none.
func TestScriptEdits(t *testing.T) {
	t.Parallel()
	exec := func(files fs.FS, l facts.Launch) (finding.FileEdit, bool) { return Exec(files, l) }
	for name, c := range map[string]struct {
		script string
		edit   func(fs.FS, facts.Launch) (finding.FileEdit, bool)
		want   string
	}{
		"exec":              {"#!/bin/sh\r\necho hi\r\nweb -p 80\r\n", exec, "#!/bin/sh\r\necho hi\r\nexec web -p 80\r\n"},
		"exec there":        {"exec web -p 80\n", exec, ""},
		"a trap":            {"trap 'x' TERM\nweb -p 80\n", exec, ""},
		"more follows":      {"web -p 80\necho ended\n", exec, ""},
		"behind a wrapper":  {"gosu app web -p 80\n", exec, "exec gosu app web -p 80\n"},
		"last of an if":     {"if true; then\n  web -p 80\nfi\n", exec, "if true; then\n  exec web -p 80\nfi\n"},
		"standing twice":    {"web -p 80 || web -p 80\n", exec, ""},
		"another command":   {"web -p 81\n", exec, ""},
		"a variable":        {"web -p \"$PORT\"\n", exec, "exec web -p \"$PORT\"\n"},
		"in the background": {"web -p 80 &\n", Foreground, "web -p 80\n"},
		"waited for":        {"web -p 80 &\nwait\n", Foreground, ""},
		"arguments":         {"exec web -p 80 # server\n", Arguments, "exec web -p 80 \"$@\" # server\n"},
	} {
		files := fstest.MapFS{"start.sh": {Data: []byte(c.script)}}
		edit, ok := c.edit(files, launched("web", "-p", "80"))
		got := ""
		if ok {
			var err error
			if got, err = Apply(c.script, edit); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestSourceEdits(t *testing.T) {
	t.Parallel()
	text := "# localhost\ndb = connect('localhost')\nserve(\"127.0.0.1\", 80)\nsize = 800\n"
	files := fstest.MapFS{"srv/app.py": {Data: []byte(text)}}
	l := launched("python3", "app.py")
	want := []finding.FileEdit{
		{Path: "/srv/app.py", Line: 3, Column: 8, Old: "127.0.0.1", New: "0.0.0.0"},
		{Path: "/srv/app.py", Line: 2, Column: 15, Old: "localhost", New: "0.0.0.0"},
	}
	if diff := cmp.Diff(want, Loopback(files, l)); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	want = []finding.FileEdit{{Path: "/srv/app.py", Line: 3, Column: 20, Old: "80", New: "8080"}}
	if diff := cmp.Diff(want, Port(files, l, 80, 8080)); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}

func TestSettingAndOver(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"etc/web.conf": {Data: []byte("a;\nlisten 127.0.0.1:80;\n"), Mode: 0o644}}
	edit, ok := Setting(files, "/etc/web.conf:2", "127.0.0.1:80", "80")
	if !ok {
		t.Fatal("no edit")
	}
	for _, at := range []string{"/etc/web.conf:1", "/etc/web.conf:9", "/etc/other:2", "env HOST", "/etc/web.conf:x"} {
		if _, ok := Setting(files, at, "127.0.0.1:80", "80"); ok {
			t.Errorf("%s: an edit", at)
		}
	}
	changed, err := Over(files, []finding.FileEdit{edit, {Path: "/etc/web.conf", Mode: 0o755}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(changed, "etc/web.conf")
	info, statErr := fs.Stat(changed, "etc/web.conf")
	if err != nil || statErr != nil || string(text) != "a;\nlisten 80;\n" || info.Mode().Perm() != 0o755 || info.Size() != int64(len(text)) {
		t.Errorf("got %q %v %v %v", text, info, err, statErr)
	}
	if _, err := Over(files, []finding.FileEdit{{Path: "/etc/web.conf", Line: 2, Column: 1, Old: "other"}}); err == nil {
		t.Error("an edit of another text is made")
	}
}
