package hook

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// place is a repository with a bare one as its remote.
type place struct {
	t    *testing.T
	dir  string
	bare string
}

func newPlace(t *testing.T) place {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := place{t, filepath.Join(root, "work"), filepath.Join(root, "bare.git")}
	for _, dir := range []string{p.dir, p.bare} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.in(p.bare, "init", "-q", "--bare", ".")
	p.git("init", "-q", "-b", "main", ".")
	p.git("remote", "add", "origin", p.bare)
	return p
}

func (p place) in(dir string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p place) git(args ...string) string { p.t.Helper(); return p.in(p.dir, args...) }

// commit writes files and returns the commit.
func (p place) commit(names ...string) string {
	p.t.Helper()
	for _, name := range names {
		p.write(name, name+p.git("rev-list", "--all", "--count"))
	}
	p.git("add", "-A")
	p.git("commit", "-q", "-m", "x")
	return p.git("rev-parse", "HEAD")
}

func (p place) write(name, text string) {
	p.t.Helper()
	name = filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) open() *Repository {
	p.t.Helper()
	r, err := Open(p.t.Context(), p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

const zero = "0000000000000000000000000000000000000000"

func TestChanged(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.commit("Dockerfile", "app/a b.py")
	r := p.open()
	check := func(name, remote string, push Push, want Change) {
		t.Helper()
		got, err := r.Changed(t.Context(), remote, []Push{push})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	check("first push", "origin", Push{Local: first, Remote: zero}, Change{All: true})
	p.git("push", "-q", "origin", "main")
	second := p.commit("app/a b.py", "ü")
	third := p.commit("README")
	check("update", "origin", Push{Local: third, Remote: first}, Change{Files: []string{"README", "app/a b.py", "ü"}})
	if dirty, err := r.Dirty(t.Context()); err != nil || len(dirty) > 0 {
		t.Errorf("after a commit %v differ (%v)", dirty, err)
	}
	p.write("new/ü b", "x")
	p.write("README", "changed")
	p.git("rm", "-q", "--cached", "ü")
	if dirty, err := r.Dirty(t.Context()); err != nil || !cmp.Equal(dirty, []string{"README", "new/ü b", "ü", "ü"}) {
		t.Errorf("%q differ (%v)", dirty, err)
	}
	p.git("reset", "-q", "--hard")
	p.git("clean", "-fdq")
	check("nothing new", "origin", Push{Local: first, Remote: first}, Change{})
	check("delete", "origin", Push{Local: zero, Remote: first}, Change{})
	check("new branch", "origin", Push{Local: second, Remote: zero}, Change{Files: []string{"app/a b.py", "ü"}})
	check("new branch at an address", p.bare, Push{Local: second, Remote: zero}, Change{Files: []string{"app/a b.py", "ü"}})
	check("unknown remote commit", "origin", Push{Local: third, Remote: strings.Repeat("1", 40)}, Change{Files: []string{"README", "app/a b.py", "ü"}})
	p.git("checkout", "-q", "--orphan", "other")
	orphan := p.commit("README")
	check("no common ancestor", "origin", Push{Local: orphan, Remote: zero}, Change{All: true})
	p.git("checkout", "-q", "main")
	p.git("mv", "Dockerfile", "Containerfile")
	moved := p.commit()
	check("rename", "origin", Push{Local: moved, Remote: third}, Change{Files: []string{"Containerfile", "Dockerfile"}})
	if r.Head(t.Context()) != moved {
		t.Errorf("head is %s, want %s", r.Head(t.Context()), moved)
	}
}

func TestPushes(t *testing.T) {
	t.Parallel()
	got, err := Pushes(strings.NewReader("refs/heads/a 1 refs/heads/b 0\n\n(delete) 000 refs/heads/c 2\n"))
	want := []Push{{"refs/heads/a", "1", "refs/heads/b", "0"}, {"(delete)", "000", "refs/heads/c", "2"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got[0].Deletes() || !got[1].Deletes() {
		t.Error("does not tell a delete from an update")
	}
	if _, err := Pushes(strings.NewReader("what is this\n")); err == nil {
		t.Error("accepts nonsense")
	}
}

func TestRelevant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source Source
		ignore map[string]string
		files  []string
		want   string
	}{
		"the Dockerfile":             {Source{Dockerfile: "Dockerfile"}, nil, []string{"Dockerfile"}, "Dockerfile"},
		"the context":                {Source{Dockerfile: "Dockerfile"}, nil, []string{"docs/x.md"}, "docs/x.md"},
		"left out":                   {Source{Dockerfile: "Dockerfile"}, map[string]string{".dockerignore": "docs\n*.md\n"}, []string{"README.md", "docs/deep/x"}, ""},
		"left out and back in":       {Source{Dockerfile: "Dockerfile"}, map[string]string{".dockerignore": "# all\n*\n!app\n"}, []string{"README.md", "app/x"}, "app/x"},
		"the Dockerfile left out":    {Source{Dockerfile: "Dockerfile"}, map[string]string{".dockerignore": "*\n"}, []string{"Dockerfile"}, "Dockerfile"},
		"what leaves out":            {Source{Dockerfile: "Dockerfile"}, map[string]string{".dockerignore": "*\n"}, []string{".dockerignore"}, ".dockerignore"},
		"a folder":                   {Source{Dockerfile: "web/Dockerfile"}, nil, []string{"README", "webs/x", "web/x"}, "web/x"},
		"another context":            {Source{Dockerfile: "web/Dockerfile", Context: "src"}, nil, []string{"web/x", "src/x"}, "src/x"},
		"its own file goes before":   {Source{Dockerfile: "web/Dockerfile", Context: "."}, map[string]string{".dockerignore": "*\n", "web/Dockerfile.dockerignore": "docs\n"}, []string{"docs/x", "app/x"}, "app/x"},
		"paths":                      {Source{Dockerfile: "Dockerfile", Paths: []string{"app/**", "!app/tests"}}, nil, []string{"Dockerfile", "app/tests/x", "app/x"}, "app/x"},
		"paths that nothing matches": {Source{Dockerfile: "Dockerfile", Paths: []string{"app"}}, nil, []string{"Dockerfile"}, ""},
		"nothing":                    {Source{Dockerfile: "Dockerfile"}, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := place{t: t, dir: t.TempDir()}
			for file, text := range c.ignore {
				p.write(file, text)
			}
			got, err := c.source.Relevant(p.dir, c.files)
			if err != nil || got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
	if _, err := (Source{Paths: []string{"["}}).Relevant(".", []string{"x"}); err == nil {
		t.Error("accepts a wrong pattern")
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := p.open()
	existing := filepath.Join(p.dir, ".git", "hooks", "pre-push")
	if err := os.MkdirAll(filepath.Dir(existing), 0o755); err != nil {
		t.Fatal(err)
	}
	const theirs = "#!/bin/sh\necho theirs\n"
	if err := os.WriteFile(existing, []byte(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is no harm
		file, chained, err := r.Install("/opt/it's here/imglint", false)
		if err != nil || file != existing || chained != existing+".before-imglint" {
			t.Fatalf("installed %q, chained %q: %v", file, chained, err)
		}
	}
	info, err := os.Stat(existing)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o755 {
		t.Errorf("the hook is not executable: %v %v", info, err)
	}
	if out, err := exec.Command("sh", "-n", existing).CombinedOutput(); err != nil {
		t.Errorf("the hook is no shell script: %v %s", err, out)
	}
	was, restored, err := r.Uninstall()
	if !was || restored != existing || err != nil {
		t.Errorf("uninstalled %t, restored %q: %v", was, restored, err)
	}
	if text, err := os.ReadFile(existing); err != nil || string(text) != theirs {
		t.Errorf("the hook that was there is now %q (%v)", text, err)
	}
	if was, _, err = r.Uninstall(); was || err != nil {
		t.Errorf("uninstalled another's hook: %v", err)
	}
}

func TestInstallWhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.commit("x")
	outside := t.TempDir()
	for name, c := range map[string]struct {
		path   string
		shared bool
		want   string
		err    error
	}{
		"inside the repository": {"my hooks", false, filepath.Join(p.dir, "my hooks", "pre-push"), nil},
		"outside":               {outside, false, "", ErrShared},
		"outside on purpose":    {outside, true, filepath.Join(outside, "pre-push"), nil},
	} {
		p.git("config", "core.hooksPath", c.path)
		file, _, err := p.open().Install("imglint", c.shared)
		if file != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: installed %q (%v), want %q (%v)", name, file, err, c.want, c.err)
		}
	}
	p.git("config", "core.hooksPath", ".husky/_")
	var husky *HuskyError
	if _, _, err := p.open().Install("imglint", false); !errors.As(err, &husky) || husky.File != filepath.Join(p.dir, ".husky", "pre-push") {
		t.Errorf("husky: %v", err)
	}
	p.git("config", "--unset", "core.hooksPath")
	linked := filepath.Join(t.TempDir(), "linked")
	p.git("worktree", "add", "-q", linked)
	r, err := Open(t.Context(), linked)
	if err != nil {
		t.Fatal(err)
	}
	if file, _, err := r.Install("imglint", false); err != nil || file != filepath.Join(p.dir, ".git", "hooks", "pre-push") {
		t.Errorf("linked working tree: installed %q: %v", file, err)
	}
	if _, err := Open(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("no repository: %v", err)
	}
}
