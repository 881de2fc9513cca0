package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/platform"
)

// gone are images that nobody has: every format has to say so.
var gone = []string{"127.0.0.1:1/gone:1", "127.0.0.1:1/gone:2"}

func TestSeveralFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"--host", noEngine, "--static", "--format", "text", "--format", "sarif=" + in("a.sarif"), "--format", "junit=" + in("a.xml"),
		"--format", "gitlab=" + in("a.json"), "--format", "jsonl=" + in("a.jsonl"), "--format", "html=" + in("a.html"), "--format", "markdown=" + in("a.md")}
	status, out, errs := call(t, nil, append(args, gone...)...)
	if status != ExitUnable || strings.Count(errs, "\n") != 2 {
		t.Errorf("exit status %d, said %q", status, errs)
	}
	if want := "127.0.0.1:1/gone:2  NOT CHECKED  –         not checked\n"; !strings.HasSuffix(out, want) {
		t.Errorf("printed %q, want a table that ends in %q", out, want)
	}
	for name, want := range map[string]string{"a.sarif": `"executionSuccessful": false`, "a.xml": `type="not checked"`, "a.json": `"blocker"`, "a.html": "NOT CHECKED", "a.md": "NOT CHECKED"} {
		text, err := os.ReadFile(in(name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), want) < 2 {
			t.Errorf("%s does not say twice %s:\n%s", name, want, text)
		}
	}
	var any1, any2 any
	text, _ := os.ReadFile(in("a.jsonl"))
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) != 2 || json.Unmarshal(lines[0], &any1) != nil || json.Unmarshal(lines[1], &any2) != nil {
		t.Errorf("a.jsonl is no two lines of JSON: %s", text)
	}
	if text, _ := os.ReadFile(in("a.xml")); xml.Unmarshal(text, &struct{}{}) != nil {
		t.Errorf("a.xml is no XML: %s", text)
	}
	if left, _ := filepath.Glob(in(".imglint-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestGitHubJob(t *testing.T) {
	t.Parallel()
	summary := filepath.Join(t.TempDir(), "summary")
	if err := os.WriteFile(summary, []byte("an earlier step\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary}
	status, out, errs := call(t, env, append([]string{"--host", noEngine}, gone...)...)
	if status != ExitUnable || errs != "" || strings.Count(out, "::error title=imglint could not check the image::") != 2 {
		t.Errorf("exit status %d, printed %q, said %q", status, out, errs)
	}
	text, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "an earlier step\n| image |") {
		t.Errorf("the summary is %q", text)
	}
	for name, args := range map[string][]string{"asked for text": {"--format", "text"}, "in a file": {"-o", filepath.Join(t.TempDir(), "x")}} {
		if _, out, _ := call(t, env, append(append([]string{"--host", noEngine}, args...), gone...)...); strings.Contains(out, "::") {
			t.Errorf("%s: printed %q", name, out)
		}
	}
	if again, _ := os.ReadFile(summary); !bytes.Equal(text, again) {
		t.Error("the summary grew although another format was asked for")
	}
}

func TestImagesFrom(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "images")
	if err := os.WriteFile(file, []byte("# ours\n\n 127.0.0.1:1/b:1 \r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	args := []string{"--host", noEngine, "--jobs", "1", "--format", "jsonl", "--images-from", file, "--images-from", "-", "127.0.0.1:1/a:1"}
	Main(args, IO{In: strings.NewReader("127.0.0.1:1/c:1"), Out: &out, Err: &errs, Getenv: func(string) string { return "" }})
	var got []string
	for line := range strings.Lines(out.String()) {
		var image struct{ Image string }
		if err := json.Unmarshal([]byte(line), &image); err != nil {
			t.Fatal(err)
		}
		got = append(got, image.Image)
	}
	if want := "127.0.0.1:1/a:1 127.0.0.1:1/b:1 127.0.0.1:1/c:1"; strings.Join(got, " ") != want {
		t.Errorf("checked %v, want %s (said %q)", got, want, errs.String())
	}
}

func TestWriteWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "report"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Skip(err)
	}
	if err := writeWhole(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "new" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode became %v (%v)", info.Mode(), err)
	}
	if err := writeWhole(filepath.Join(dir, "fresh"), nil); err != nil {
		t.Error(err)
	}
	if err := writeWhole(filepath.Join(file, "x"), nil); err == nil {
		t.Error("wrote a file in a file")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("something was left behind: %v", entries)
	}
}

// faulty panics on the image that it is asked for.
type faulty struct{}

func (faulty) Open(context.Context, string) (lint.Image, error) { panic("a fault\nof ours") }

func TestFaultStopsOneImage(t *testing.T) {
	t.Parallel()
	const want = "imglint itself failed, please report this: a fault of ours at cli/output_test.go:"
	one, err := platform.Load("aptible")
	if err != nil {
		t.Fatal(err)
	}
	for _, platforms := range [][]*platform.Platform{{one}, {one, one}} {
		results := guarded(t.Context(), &lint.Linter{Sources: []lint.Source{faulty{}}}, "app", platforms, silence{})
		if len(results) != 1 || results[0].Err == nil || results[0].Ref != "app" {
			t.Fatalf("the results are %+v", results)
		}
		if !strings.HasPrefix(results[0].Err.Error(), want) {
			t.Errorf("said %q", results[0].Err)
		}
	}
	err = execute(t.Context(), &cobra.Command{SilenceErrors: true, RunE: func(*cobra.Command, []string) error { panic("a fault\nof ours") }}, nil)
	var status *statusError
	if !errors.As(err, &status) || status.status != ExitUnable || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a fault outside of an image is %v", err)
	}
}

// TestSeveralPlatforms judges two images for lists of platforms, one of them
// for its own.
func TestSeveralPlatforms(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"a.Dockerfile": "FROM scratch\nCMD [\"/a\"]\n", "b.Dockerfile": "FROM scratch\nEXPOSE 80\nCMD [\"/b\"]\n",
		config.Name: "images:\n  - {image: a.Dockerfile, platform: [aptible, heroku]}\n  - b.Dockerfile\n",
	})
	_, out, _ := within(t, dir, nil, "--platform", "fly,aptible", "gone.Dockerfile", "b.Dockerfile")
	if want := "gone.Dockerfile  NOT CHECKED\nb.Dockerfile        0     "; !strings.Contains(out, want) {
		t.Errorf("ends in no table of the images: %s", out)
	}
	for name, c := range map[string]struct {
		args []string
		want []string // image and platform of each result, in JSON
	}{
		"of the image": {nil, []string{"a.Dockerfile aptible", "a.Dockerfile heroku", "b.Dockerfile aptible"}},
		"typed":        {[]string{"--platform", "fly,aptible", "b.Dockerfile", "a.Dockerfile"}, []string{"b.Dockerfile fly", "b.Dockerfile aptible", "a.Dockerfile fly", "a.Dockerfile aptible"}},
		"one is gone":  {[]string{"--platform", "fly,aptible", "gone.Dockerfile", "b.Dockerfile"}, []string{"gone.Dockerfile ", "b.Dockerfile fly", "b.Dockerfile aptible"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, out, errs := within(t, dir, nil, append([]string{"--format", "json", "--format", "jsonl=" + filepath.Join(t.TempDir(), "l")}, c.args...)...)
			var d struct {
				Images []struct {
					Image  string
					Target struct{ Name string }
				}
				Matrix []struct{}
			}
			if err := json.Unmarshal([]byte(out), &d); err != nil {
				t.Fatalf("%v: %s%s", err, out, errs)
			}
			var got []string
			for _, i := range d.Images {
				got = append(got, i.Image+" "+i.Target.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(d.Matrix) != 2 {
				t.Errorf("%d matrices (-want +got):\n%s", len(d.Matrix), diff)
			}
		})
	}
}
