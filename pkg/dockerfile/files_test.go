package dockerfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// contextFiles is the build context of the tests.
var contextFiles = fstest.MapFS{
	"entrypoint.sh":     {Data: []byte("#!/bin/sh\nexec \"$@\"\n"), Mode: 0o644},
	"run":               {Data: []byte("RUN"), Mode: 0o755},
	"conf/nginx.conf":   {Data: []byte("listen 80;"), Mode: 0o644},
	"conf/secret.conf":  {Data: []byte("secret"), Mode: 0o600},
	"app/main.py":       {Data: []byte("app"), Mode: 0o644},
	"app/util.py":       {Data: []byte("util"), Mode: 0o644},
	"link":              {Data: []byte("run"), Mode: fs.ModeSymlink | 0o777},
	".dockerignore":     {Data: []byte("conf/secret.conf\n**/*.md\n!keep.md\n")},
	"README.md":         {Data: []byte("readme"), Mode: 0o644},
	"keep.md":           {Data: []byte("keep"), Mode: 0o644},
	"dist.tar.gz":       {Data: []byte("x"), Mode: 0o644},
	"docker/Dockerfile": {Data: []byte("FROM scratch\n"), Mode: 0o644},
}

// say tells what the view answers about a path: mode and content, "absent" or
// "unknown".
func say(t *testing.T, files fs.FS, name string) string {
	t.Helper()
	info, err := fs.Stat(files, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case errors.Is(err, facts.ErrNotExamined):
		return "unknown"
	case err != nil:
		t.Fatal(err)
	}
	if info.IsDir() {
		return "dir"
	}
	data, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), "\n")
	return info.Mode().String()[1:] + " " + text
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  string
		want map[string]string
	}{
		"whole context": {"FROM x\nWORKDIR /app\nCOPY . .\n", map[string]string{
			"app/entrypoint.sh": "rw-r--r-- #!/bin/sh", "app/conf/nginx.conf": "rw-r--r-- listen 80;", "app/conf/secret.conf": "unknown", "app": "dir", "app/conf": "dir",
			"app/README.md": "unknown", "app/keep.md": "rw-r--r-- keep", "app/link": "unknown", "app/none": "unknown", "bin/sh": "unknown", "app/app/main.py": "rw-r--r-- app",
		}},
		"scratch knows what is absent": {"FROM scratch\nCOPY run /run\n", map[string]string{"run": "rwxr-xr-x RUN", "bin/sh": "absent", ".": "dir"}},
		"relative without a base":      {"FROM debian\nCOPY run .\n", map[string]string{"run": "unknown", "app/run": "unknown"}},
		"relative to scratch":          {"FROM scratch\nWORKDIR srv\nCOPY run bin/\n", map[string]string{"srv/bin/run": "rwxr-xr-x RUN", "srv/bin": "dir", "srv": "dir"}},
		"into a directory":             {"FROM debian\nCOPY run /usr/local/bin\nCOPY entrypoint.sh /entrypoint\n", map[string]string{"usr/local/bin/run": "rwxr-xr-x RUN", "entrypoint": "rw-r--r-- #!/bin/sh"}},
		"several and patterns":         {"FROM debian\nCOPY app/*.py ru? /srv/\n", map[string]string{"srv/main.py": "rw-r--r-- app", "srv/util.py": "rw-r--r-- util", "srv/run": "rwxr-xr-x RUN"}},
		"later wins":                   {"FROM debian\nCOPY run /a\nCOPY conf/nginx.conf /a\n", map[string]string{"a": "rw-r--r-- listen 80;"}},
		"variables":                    {"ARG G=/srv\nFROM debian\nARG G\nARG V=run\nENV D=$G/bin\nCOPY $V ${D}/\n", map[string]string{"srv/bin/run": "rwxr-xr-x RUN"}},
		"unknown variable":             {"FROM debian\nCOPY run /a\nCOPY run $HOME/\n", map[string]string{"a": "unknown"}},
		"build argument":               {"FROM debian\nARG GIVEN\nCOPY run $GIVEN\n", map[string]string{"given": "rwxr-xr-x RUN"}},
		"from another stage":           {"FROM debian AS b\nFROM debian\nCOPY run /srv/run\nCOPY --from=b /out /srv\n", map[string]string{"srv/run": "unknown", "bin/run": "unknown"}},
		"beside another stage":         {"FROM debian AS b\nFROM debian\nCOPY --from=b /out /srv\nCOPY run /srv/run\n", map[string]string{"srv/run": "rwxr-xr-x RUN"}},
		"through stages":               {"FROM debian AS b\nWORKDIR /w\nCOPY run .\nFROM b\n", map[string]string{"w/run": "rwxr-xr-x RUN"}},
		"chmod flag":                   {"FROM debian\nCOPY --chmod=755 entrypoint.sh /e\nCOPY --chmod=u+x run /r\n", map[string]string{"e": "rwxr-xr-x #!/bin/sh", "r": "unknown"}},
		"chmod plus x":                 {"FROM debian\nCOPY entrypoint.sh /e\nRUN apt-get update && chmod +x /e\n", map[string]string{"e": "rwxr-xr-x #!/bin/sh"}},
		"chmod in between":             {"FROM debian\nRUN chmod +x /e\nCOPY entrypoint.sh /e\n", map[string]string{"e": "rw-r--r-- #!/bin/sh"}},
		"chmod twice":                  {"FROM debian\nCOPY entrypoint.sh /e\nRUN chmod 600 /e\nRUN chmod u+x /e\n", map[string]string{"e": "rwx------ #!/bin/sh"}},
		"chmod of all":                 {"FROM debian\nWORKDIR /a\nCOPY . .\nRUN chmod -R a+rx . ; chmod 644 /a/*n\n", map[string]string{"a/entrypoint.sh": "rwxr-xr-x #!/bin/sh", "a/run": "rw-r--r-- RUN"}},
		"chmod not plain":              {"FROM debian\nCOPY entrypoint.sh /e\nRUN chmod +x $(ls /e)\n", map[string]string{"e": "unknown"}},
		"harmless":                     {"FROM debian\nCOPY run /r\nRUN apt-get install -y \"curl=1\" >/dev/null 2>&1 && rm -rf /var/lib/apt/lists/*\nRUN pip install x && python -m pip list\nRUN npm ci --omit=dev\nRUN [\"useradd\", \"app\"]\n", map[string]string{"r": "rwxr-xr-x RUN"}},
		"npm run":                      {"FROM debian\nCOPY run /r\nRUN npm run build\n", map[string]string{"r": "unknown"}},
		"sed":                          {"FROM debian\nCOPY run /r\nRUN sed -i s/a/b/ /r\n", map[string]string{"r": "unknown"}},
		"written":                      {"FROM debian\nCOPY run /r\nRUN echo hi > /r\n", map[string]string{"r": "unknown"}},
		"rm":                           {"FROM debian\nCOPY run /r\nRUN rm -rf /r\n", map[string]string{"r": "unknown"}},
		"loop":                         {"FROM debian\nCOPY run /r\nRUN for f in /r; do chmod +x $f; done\n", map[string]string{"r": "unknown"}},
		"heredoc run":                  {"FROM debian\nCOPY run /r\nRUN <<E\ntrue\nE\n", map[string]string{"r": "unknown"}},
		"heredoc copy":                 {"FROM debian\nCOPY <<'E' /e\n#!/bin/sh $X\nE\nCOPY <<E /f\n$X\nE\nCOPY --chmod=0755 <<g.sh <<h.sh /d/\ng\ng.sh\nh\nh.sh\n", map[string]string{"e": "rw-r--r-- #!/bin/sh $X", "f": "unknown", "d/g.sh": "rwxr-xr-x g", "d/h.sh": "rwxr-xr-x h"}},
		"add":                          {"FROM debian\nADD run /r\nADD dist.tar.gz /srv/\nADD https://example.org/x /x\n", map[string]string{"r": "rwxr-xr-x RUN", "srv/dist.tar.gz": "unknown", "x": "unknown"}},
		"missing source":               {"FROM debian\nCOPY none /n\nCOPY no*pe /m\n", map[string]string{"n": "unknown", "m": "unknown"}},
		"out of the context":           {"FROM debian\nCOPY ../../run /r\n", map[string]string{"r": "rwxr-xr-x RUN"}},
		"link":                         {"FROM debian\nCOPY link /r\n", map[string]string{"r": "unknown"}},
		"crlf":                         {"FROM debian\r\nCOPY run \\\r\n  /r\r\n", map[string]string{"r": "rwxr-xr-x RUN"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := Files(t.Context(), []byte(c.src), Options{File: "Dockerfile", BuildArgs: map[string]string{"GIVEN": "/given"}}, contextFiles, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name := range c.want {
				got[name] = say(t, files, name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFilesWithBase: a known base gives the working directory and variables.
func TestFilesWithBase(t *testing.T) {
	t.Parallel()
	base := func(context.Context, string) (facts.Image, error) {
		return facts.Image{Config: facts.Config{WorkingDir: "/srv", Env: []string{"HOME=/home/app"}}}, nil
	}
	files, err := Files(t.Context(), []byte("FROM x\nCOPY run .\nCOPY run $HOME/\n"), Options{Base: base}, contextFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"srv/run", "home/app/run"} {
		if got := say(t, files, name); got != "rwxr-xr-x RUN" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestFilesOfBase: what the base image has is below what the Dockerfile adds.
func TestFilesOfBase(t *testing.T) {
	t.Parallel()
	base := fstest.MapFS{
		"usr/bin/tool": {Data: []byte("TOOL"), Mode: 0o755}, "r": {Data: []byte("LOW"), Mode: 0o600}, "etc/conf": {Data: []byte("conf"), Mode: 0o644},
		"bin": {Data: []byte("usr/bin"), Mode: fs.ModeSymlink | 0o777},
	}
	for name, c := range map[string]struct {
		src  string
		want map[string]string
	}{
		"no run":      {"FROM x\nCOPY run /r\n", map[string]string{"r": "rwxr-xr-x RUN", "usr/bin/tool": "rwxr-xr-x TOOL", "usr/bin/none": "absent", "etc/conf": "rw-r--r-- conf"}},
		"quiet run":   {"FROM x\nCOPY . /app\nRUN pip install x\n", map[string]string{"usr/bin/tool": "rwxr-xr-x TOOL", "usr/bin/none": "unknown", "app/none": "absent", "app/run": "rwxr-xr-x RUN"}},
		"unclear run": {"FROM x\nRUN make\n", map[string]string{"usr/bin/tool": "unknown", "r": "unknown"}},
		"chmod":       {"FROM x\nRUN chmod +x /etc/conf\n", map[string]string{"etc/conf": "rwxr-xr-x conf"}},
	} {
		files, err := Files(t.Context(), []byte(c.src), Options{}, contextFiles, base)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name := range c.want {
			got[name] = say(t, files, name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if link, err := fs.ReadLink(files, "bin"); name == "no run" && (link != "usr/bin" || err != nil) {
			t.Errorf("%s: readlink bin: %q, %v", name, link, err)
		}
	}
}

// TestFileOrInto: a file copied to a name without a slash becomes that name,
// or ends up in it where that is a directory.
func TestFileOrInto(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"FROM scratch\nCOPY run /app\n":                          "rwxr-xr-x RUN, absent",
		"FROM scratch\nCOPY run /opt\n":                          "absent, absent",
		"FROM scratch\nWORKDIR /app\nWORKDIR /\nCOPY run /app\n": "dir, rwxr-xr-x RUN",
		"FROM python:3.12\nCOPY run /app\n":                      "rwxr-xr-x RUN, unknown",
		"FROM example.org/base\nCOPY run /app\n":                 "unknown, unknown",
		"FROM example.org/base\nRUN mkdir /app\nCOPY run /app\n": "dir, rwxr-xr-x RUN",
	} {
		files, err := Files(t.Context(), []byte(src), Options{}, contextFiles, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := say(t, files, "app") + ", " + say(t, files, "app/run"); got != want {
			t.Errorf("%q: %s, want %s", src, got, want)
		}
	}
}

// TestInstalledIsUnknown: package managers add files below the project.
func TestInstalledIsUnknown(t *testing.T) {
	t.Parallel()
	files, err := Files(t.Context(), []byte("FROM node:22\nWORKDIR /app\nRUN mkdir -p data/deep\nCOPY . .\nRUN npm ci\n"), Options{}, contextFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"app/node_modules/.bin/next": "unknown", "app/start.sh": "absent", "app/data/deep": "dir", "app/run": "rwxr-xr-x RUN", "app/conf/none": "unknown",
	} {
		if got := say(t, files, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestOwnDirectory: in what only the build context fills, what is not copied is
// not there; an official base image has no such directory.
func TestOwnDirectory(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"FROM python:3.12\nWORKDIR /app\nRUN pip install x\nCOPY . .\n":                 "absent",
		"FROM docker.io/library/python:3.12\nWORKDIR /app\nCOPY . .\n":                  "absent",
		"FROM python:3.12\nWORKDIR /app\nRUN make\nCOPY . .\n":                          "unknown",
		"FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN make\n":                          "unknown",
		"FROM python:3.12\nWORKDIR /app\nCOPY run .\n":                                  "unknown",
		"FROM example.org/base\nWORKDIR /app\nCOPY . .\n":                               "unknown",
		"FROM python:3.12 AS b\nFROM python:3.12\nCOPY . /app\nCOPY --from=b /x /app\n": "unknown",
	} {
		files, err := Files(t.Context(), []byte(src), Options{}, contextFiles, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := say(t, files, "app/gunicorn.conf.py"); got != want {
			t.Errorf("%q: %s, want %s", src, got, want)
		}
	}
}

func TestFilesWithoutContext(t *testing.T) {
	t.Parallel()
	files, err := Files(t.Context(), []byte("FROM x\nCOPY run /r\nWORKDIR /w\n"), Options{}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := say(t, files, "r"); got != "unknown" {
		t.Errorf("r: %s", got)
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	files, err := Files(t.Context(), []byte("FROM debian\nCOPY run /r\nCOPY --chown=app run /a\n"), Options{}, contextFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"r": true, "a": false} {
		info, err := fs.Stat(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := info.(interface{ Owner() (int, int) }); ok != want {
			t.Errorf("%s: its owner is known: %v, want %v", name, ok, want)
		}
	}
}

// TestContextStaysInside: a link of a real directory that leads out of it is
// not followed.
func TestContextStaysInside(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "out")),
	); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files, err := Files(t.Context(), []byte("FROM scratch\nCOPY . /\nCOPY out/secret /s\n"), Options{}, root.FS(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"out/secret", "s"} {
		if got := say(t, files, name); got != "unknown" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	src := "FROM python:3.12 as Base\nENV A b\nFROM scratch AS other\nFROM base\nWORKDIR app\nCMD gunicorn app\n"
	var got []string
	for _, w := range Checks(t.Context(), []byte(src), Options{}, nil) {
		if w.At.Line == 0 || w.Message == "" {
			t.Errorf("without a place or text: %+v", w)
		}
		got = append(got, w.Rule)
	}
	for _, want := range []string{"StageNameCasing", "FromAsCasing", "LegacyKeyValueFormat", "JSONArgsRecommended"} {
		if !strings.Contains(strings.Join(got, " "), want) {
			t.Errorf("%v lacks %s", got, want)
		}
	}
	if w := Checks(t.Context(), []byte("# check=skip=all\n"+src), Options{}, nil); len(w) != 0 {
		t.Errorf("skipped checks speak: %v", w)
	}
	for _, w := range Checks(t.Context(), []byte(src), Options{}, nil) {
		known := false
		for _, c := range AllChecks() {
			known = known || c.Name == w.Rule
		}
		if !known {
			t.Errorf("%s is not listed", w.Rule)
		}
	}
	if w := Checks(t.Context(), []byte("nonsense"), Options{}, nil); w != nil {
		t.Errorf("warnings about a file that is none: %v", w)
	}
}

func FuzzFiles(f *testing.F) {
	f.Add("FROM x\nWORKDIR /app\nCOPY . .\nRUN chmod -R +x /app\n", "app/run")
	f.Add("FROM scratch\nADD a* [b ./\nCOPY <<E /e\nx\nE\n", "e")
	f.Fuzz(func(t *testing.T, src, name string) {
		files, err := Files(t.Context(), []byte(src), Options{}, contextFiles, nil)
		if err == nil {
			_, _ = fs.ReadFile(files, name) // must not panic
			_, _ = fs.Stat(files, name)
		}
		Checks(t.Context(), []byte(src), Options{}, nil)
	})
}
