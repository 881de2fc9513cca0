package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/config"
)

// pusher is a repository with imglint's hook and a bare one to push to.
type pusher struct {
	t   *testing.T
	dir string
	env []string
}

func newPusher(t *testing.T) *pusher {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	root := t.TempDir()
	p := &pusher{t: t, dir: filepath.Join(root, "work"), env: []string{
		asImglint + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + root, "DOCKER_HOST=" + os.Getenv("DOCKER_HOST"),
		"GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.must("init", "-q", "-b", "main", ".")
	p.must("init", "-q", "--bare", "../bare.git")
	p.must("remote", "add", "origin", "../bare.git")
	return p
}

func (p *pusher) run(name string, args ...string) (string, error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *pusher) must(args ...string) string {
	p.t.Helper()
	out, err := p.run("git", args...)
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

// commit writes files, "NAME=TEXT", and commits them.
func (p *pusher) commit(files ...string) {
	p.t.Helper()
	p.write(files...)
	p.must("add", "-A")
	p.must("commit", "-q", "--allow-empty", "-m", "x")
}

func (p *pusher) write(files ...string) {
	p.t.Helper()
	for _, file := range files {
		name, text, _ := strings.Cut(file, "=")
		name = filepath.Join(p.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
}

// push pushes and checks whether that works and what is said.
func (p *pusher) push(what string, passes bool, says string, args ...string) {
	p.t.Helper()
	out, err := p.run("git", append([]string{"push"}, args...)...)
	if (err == nil) != passes {
		p.t.Errorf("%s: push passed: %t, want %t\n%s", what, err == nil, passes, out)
	}
	if !strings.Contains(out, says) {
		p.t.Errorf("%s: said %q, want %q in it", what, out, says)
	}
	if says == "" && strings.Contains(out, "imglint") {
		p.t.Errorf("%s: said %q, want nothing", what, out)
	}
}

// The Dockerfiles need no image: they are read without a build.
const (
	badDockerfile  = "Dockerfile=FROM scratch\nCOPY server /server\nCMD [\"/server\"]\n"
	goodDockerfile = "Dockerfile=FROM scratch\nCOPY server /server\nEXPOSE 8000\nCMD [\"/server\"]\n"
	stopped        = "git push --no-verify"
)

func TestHookPushes(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	p.commit(goodDockerfile, "server=x", ".dockerignore=docs\n", "docs/a=1", ".git/hooks/pre-push=#!/bin/sh\nread -r line\necho \"theirs: $1 $line\" >&2\n")
	if out, err := p.run(os.Args[0], "hook", "install"); err != nil || !strings.Contains(out, "it runs the hook that was there first") {
		t.Fatalf("install: %v\n%s", err, out)
	}
	p.push("first push of what is fine", true, "theirs: origin refs/heads/main "+p.must("rev-parse", "HEAD"), "origin", "main")
	p.commit(badDockerfile)
	p.push("a Dockerfile that fails", false, "[missing-expose]", "origin", "main")
	p.push("a Dockerfile that fails", false, stopped, "origin", "main")
	p.push("the same on a new branch", false, stopped, "origin", "main:refs/heads/new")
	p.push("the same with a tag", false, stopped, "origin", "HEAD:refs/tags/v1")
	p.push("without the check", true, "", "--no-verify", "origin", "main")
	p.commit("docs/a=2")
	p.push("what is not in the context", true, "theirs: ", "origin", "main")
	p.commit("server=y")
	p.push("what is in the context", false, stopped, "origin", "main")
	p.commit("docs/a=3", goodDockerfile)
	p.write("docs/a=4", badDockerfile)
	p.push("what is here is not what is pushed", false, "imglint: Dockerfile is not committed as it is here", "origin", "main")
	p.write(goodDockerfile)
	p.push("mended", true, "theirs: ", "origin", "main")
	p.must("checkout", "-q", "--", "docs")
	p.push("nothing new", true, "", "origin", "main")
	p.must("checkout", "-q", "-b", "side")
	p.push("a new branch without anything new", true, "theirs: ", "origin", "side")
	p.push("a deleted branch", true, "theirs: origin (delete) ", "origin", ":side")
	p.commit("server=z")
	p.must("checkout", "-q", "main")
	p.push("a branch that is not checked out", true, "side is not checked out", "origin", "side")
	p.must("commit", "-q", "--amend", "-m", "y")
	p.push("a rewritten branch", true, "theirs: ", "--force", "origin", "main")

	p.commit(".git/hooks/pre-push.before-imglint=#!/bin/sh\nexit 7\n", "docs/a=4")
	p.push("the other hook says no", false, "failed to push", "origin", "main")
	if out, err := p.run(os.Args[0], "hook", "uninstall"); err != nil || !strings.Contains(out, "again the hook that was there before") {
		t.Errorf("uninstall: %v\n%s", err, out)
	}
	p.commit(".git/hooks/pre-push=#!/bin/sh\n", badDockerfile)
	p.push("after uninstall", true, "", "origin", "main")
}

func TestHookConfig(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	p.commit(badDockerfile, "server=x", config.Name+"=images:\n  - image: imglint.invalid/none\n    dockerfile: Dockerfile\n    port: 8000\nhook: {paths: [app]}\nhost: "+noEngine+"\n")
	if out, err := p.run(os.Args[0], "hook", "install"); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	p.push("first push; the port of the image's entry holds for its Dockerfile", true, "Dockerfile", "origin", "main")
	p.commit("server=y")
	p.push("not one of the paths", true, "", "origin", "main")
	p.commit(config.Name+"=image: app\nbuild: echo building in $PWD >&2; exit 3\nhook: {always: true}\n", "README=x")
	p.push("the build fails", false, "build app: exit status 3", "origin", "main")
	p.commit(config.Name + "=imag: app\n")
	p.push("wrong config", false, `unknown key "imag", did you mean image?`, "origin", "main")
}

// TestHookImage pushes what an image of the engine was built from.
func TestHookImage(t *testing.T) {
	ref := build(t, "hook", serving...)
	p := newPusher(t)
	p.commit("Dockerfile=FROM "+base+"\n"+strings.Join(serving, "\n")+"\n", config.Name+"=image: "+ref+"\n")
	if out, err := p.run(os.Args[0], "hook", "install"); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	p.push("the image runs", true, "port 8000 answered 404", "origin", "main")
	broken := strings.Replace(strings.Join(serving, "\n"), "0.0.0.0", "127.0.0.1", 1)
	p.commit("Dockerfile=FROM "+base+"\n"+broken+"\n",
		config.Name+"="+fmt.Sprintf("image: %s\nbuild: DOCKER_BUILDKIT=0 docker build -q -t %s --label dev.imglint.fixture=cli .\n", ref, ref))
	p.push("the image is built and run", false, "[loopback-bind]", "origin", "main")
}

// TestHookPreCommit is how the framework pre-commit calls the hook.
func TestHookPreCommit(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	p.commit(goodDockerfile, "server=x", ".dockerignore=docs")
	from := p.must("rev-parse", "HEAD")
	p.commit("docs/a=1")
	docs := p.must("rev-parse", "HEAD")
	p.commit(badDockerfile)
	for name, c := range map[string]struct {
		env    []string
		passes bool
	}{
		"nothing relevant": {[]string{"PRE_COMMIT=1", "PRE_COMMIT_FROM_REF=" + from, "PRE_COMMIT_TO_REF=" + docs}, true},
		"relevant":         {[]string{"PRE_COMMIT=1", "PRE_COMMIT_FROM_REF=" + from, "PRE_COMMIT_TO_REF=" + p.must("rev-parse", "HEAD")}, false},
		"run --all-files":  {[]string{"PRE_COMMIT=1"}, false},
	} {
		q := *p
		q.env = append(append([]string{}, p.env...), c.env...)
		if out, err := q.run(os.Args[0], "hook", "run"); (err == nil) != c.passes {
			t.Errorf("%s: passed %t, want %t\n%s", name, err == nil, c.passes, out)
		}
	}
}

// BenchmarkHookIrrelevant is the delay of a push that changes nothing that an
// image is built from.
func BenchmarkHookIrrelevant(b *testing.B) {
	name := binary(b)
	dir := b.TempDir()
	script := `git init -q -b main . && git config user.email a@example.com && git config user.name a &&
		mkdir docs && seq 2000 | (cd docs && xargs touch) && echo docs >.dockerignore && echo FROM scratch >Dockerfile &&
		git add -A && git commit -q -m 1 && git update-ref refs/remotes/origin/main HEAD && echo x >docs/1 && git commit -q -am 2`
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	ids, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD", "HEAD^").Output()
	if err != nil {
		b.Fatal(err)
	}
	id := strings.Fields(string(ids))
	line := fmt.Sprintf("refs/heads/main %s refs/heads/main %s\n", id[0], id[1])
	b.ResetTimer()
	for range b.N {
		run := exec.Command(name, "hook", "run", "origin", "x")
		run.Dir, run.Stdin = dir, strings.NewReader(line)
		if out, err := run.CombinedOutput(); err != nil || len(out) > 0 {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
