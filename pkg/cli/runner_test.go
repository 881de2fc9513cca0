//go:build linux

package cli

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/imglint/imglint/pkg/probe/embed"
)

// TestRunnerLocal runs images of archives where there is no engine.
func TestRunnerLocal(t *testing.T) {
	t.Parallel()
	if !embed.Standalone(runtime.GOARCH) {
		t.Skip("no probe in this build: run make probe")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "app")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/imglint/imglint/pkg/run/engine/testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, tt := range []struct {
		name   string
		cmd    []string
		status int
		want   string
	}{
		{"serves", []string{"/app", "serve", ":8000"}, ExitClean, "the release health check will pass"},
		{"on loopback", []string{"/app", "serve", "127.0.0.1:8000"}, ExitFindings, "[loopback-bind]"},
		{"crashes", []string{"/app", "exit", "3", "no such table"}, ExitFindings, "[exits-at-once]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "app.tar")
			archived(t, file, program, v1.Config{Cmd: tt.cmd, ExposedPorts: map[string]struct{}{"8000/tcp": {}}})
			status, out, errs := call(t, nil, "--host", noEngine, "--runner", "local", "--boot-window", "5s", "--no-prove", file)
			if strings.Contains(out, "without an engine is not possible here") {
				t.Skip(out)
			}
			if status != tt.status || !strings.Contains(strings.ToLower(out), tt.want) {
				t.Errorf("%d, want %d and %q: %s%s", status, tt.status, tt.want, out, errs)
			}
		})
	}
	if status, _, errs := call(t, nil, "--runner", "podman", "x"); status != ExitUsage || !strings.Contains(errs, "--runner") {
		t.Errorf("%d %s", status, errs)
	}
	if status, _, errs := call(t, nil, "--runner", "local", "--network", "n", "x"); status != ExitUsage || !strings.Contains(errs, "--network") {
		t.Errorf("%d %s", status, errs)
	}
}

// TestRunnerAutoRegistry: what only a registry has is run without an engine,
// also where one answers, which then does not have it either.
func TestRunnerAutoRegistry(t *testing.T) {
	t.Parallel()
	build(t, "good", serving...) // skips without an engine
	file := servingArchive(t, 0)
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	ref := registryHost(t) + "/only/there:1"
	pushed(t, ref, img)
	status, out, errs := call(t, nil, "-v", "--boot-window", "5s", ref)
	if strings.Contains(out, "without an engine is not possible here") {
		if !strings.Contains(out, "docker pull "+ref) {
			t.Errorf("what else could be done is not said: %s", out)
		}
		t.Skip(out)
	}
	if status != ExitClean || errs != "" || !strings.Contains(out, "PASS") || !strings.Contains(out, "  seen   from inside, from the first instant, without an engine\n") {
		t.Errorf("auto: status %d, said %q, printed\n%s", status, errs, out)
	}
	if _, err := docker(t, "image", "inspect", ref); err == nil {
		t.Error("the engine has the image now")
	}
	for _, other := range [][]string{{"--runner", "docker"}, {"--network", "none"}} {
		status, out, _ := call(t, nil, append(other, ref)...)
		if status != ExitUnable || strings.Contains(out, "PASS") || !strings.Contains(out, "not checked: what it does when it runs: the image is in a registry and not in an engine; type `docker pull "+ref+"` and try again\n") {
			t.Errorf("%v: status %d, printed\n%s", other, status, out)
		}
	}
}

// archived writes an image of one program at /app, as docker save does.
func archived(t *testing.T, file, program string, config v1.Config) {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "app", Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(configured(t, config), static.NewLayer(layer.Bytes(), types.DockerUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(file, name.MustParseReference("app:1"), img); err != nil {
		t.Fatal(err)
	}
}
