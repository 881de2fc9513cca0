package lint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes files below a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClassify(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"with/Dockerfile": "FROM scratch\n", "without/readme": "x", "layout/oci-layout": "{}", "Containerfile": "FROM scratch\n", "image": "\x1f\x8b\x08",
	})
	for name, want := range map[string]Argument{
		filepath.Join(dir, "with"): ArgumentDockerfile, filepath.Join(dir, "Containerfile"): ArgumentDockerfile, filepath.Join(dir, "layout"): ArgumentStored,
		filepath.Join(dir, "image"): ArgumentStored, filepath.Join(dir, "none"): ArgumentStored, "./none": ArgumentStored, "testdata-of-nobody": ArgumentReference, "myapp:latest": ArgumentReference, "-": ArgumentStored,
	} {
		if got, err := Classify(name); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, want)
		}
	}
	if _, err := Classify(filepath.Join(dir, "without")); err == nil || !strings.Contains(err.Error(), "neither a Dockerfile nor an image") {
		t.Errorf("a directory with neither: %v", err)
	}
}

// TestAbsent: a path that leads nowhere is not looked for in registries.
func TestAbsent(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"empty.tar": ""})
	for name, want := range map[string]string{
		"none.tar": "there is no file or directory ", "none.tar:app": "there is no file or directory ", "empty.tar:app": "empty.tar holds no image",
	} {
		if _, err := FromStorage(nil, Reading{}).Open(t.Context(), filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestDirectoryIsAnImage: a bare word is an image, whatever stands here under
// that name.
func TestDirectoryIsAnImage(t *testing.T) {
	t.Chdir(write(t, map[string]string{"myapp/Dockerfile": "FROM scratch\n"}))
	for name, want := range map[string]Argument{"myapp": ArgumentReference, "./myapp": ArgumentDockerfile, "myapp/": ArgumentDockerfile} {
		if got, err := Classify(name); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, want)
		}
	}
}

// TestBuildContext: the context is the directory that has what is copied.
func TestBuildContext(t *testing.T) {
	dir := write(t, map[string]string{"docker/Dockerfile": "FROM scratch\nCOPY run /run\n", "run": "x", "own/Dockerfile": "FROM scratch\nCOPY start /run\n", "own/start": "y", "lost/Dockerfile": "FROM scratch\nCOPY nowhere /run\n"})
	t.Chdir(dir)
	for name, want := range map[string]string{"docker/Dockerfile": "x", "own/Dockerfile": "y", "lost/Dockerfile": ""} {
		img, err := FromDockerfiles(Build{}).Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := fs.ReadFile(img.Files(), "run")
		if string(text) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", name, text, err, want)
		}
		if err := img.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := FromDockerfiles(Build{}).Open(t.Context(), "myapp"); !errors.Is(err, ErrNoImage) {
		t.Error(err)
	}
}

func TestBrokenDockerfile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"empty": "", "prose": "hello world\n", "huge": strings.Repeat("# x\n", maxDockerfile/4+1)})
	for name, want := range map[string]string{"empty": "empty", "prose": "unknown instruction", "huge": "no Dockerfile"} {
		_, err := FromDockerfiles(Build{}).Open(t.Context(), filepath.Join(dir, name))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q in one line", name, err, want)
		}
	}
}
