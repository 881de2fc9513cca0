package dockerfile

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

var update = flag.Bool("update", false, "build testdata/histories.json again with the engine that answers")

// TestHistoriesAreReal builds every Dockerfile and compares with what was
// recorded.
func TestHistoriesAreReal(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images")
	}
	if out, err := docker(t, "", "version", "--format", "{{.Server.Version}}"); err != nil {
		t.Skipf("no engine answers: %v %s", err, out)
	}
	built := map[string]facts.Image{}
	for _, b := range builds {
		built[b.name] = build(t, b.dockerfile)
	}
	if *update {
		text, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/histories.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(histories(t), built); diff != "" {
		t.Errorf("this engine builds otherwise (-recorded +built):\n%s", diff)
	}
}

func docker(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	// not t.Context(): images are removed when it is over
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "docker", args...)
	c.Dir, c.Env, c.WaitDelay = dir, append(os.Environ(), "DOCKER_BUILDKIT=0"), time.Second
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func build(t *testing.T, src string) facts.Image {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"Dockerfile": src, "hello": "hello\n", "other": "other\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ref := "imglint-test/dockerfile:" + rand.Text()
	// The classic builder's cache can give a wrong CMD, so it is not used.
	if out, err := docker(t, dir, "build", "--no-cache", "--label", "imglint.test=dockerfile", "-q", "-t", ref, "."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := docker(t, "", "rmi", ref); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		// what earlier stages left behind
		if out, err := docker(t, "", "image", "prune", "--force", "--filter", "label=imglint.test=dockerfile"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	return inspect(t, ref)
}

func inspect(t *testing.T, ref string) facts.Image {
	t.Helper()
	var img facts.Image
	entries, err := docker(t, "", "history", "--no-trunc", "--format", "{{json .CreatedBy}}", ref)
	if err != nil {
		t.Fatal(err, entries)
	}
	for line := range strings.Lines(entries) {
		var h facts.History
		if err := json.Unmarshal([]byte(line), &h.CreatedBy); err != nil {
			t.Fatal(err)
		}
		img.History = append([]facts.History{h}, img.History...)
	}
	config, err := docker(t, "", "inspect", "--format", "{{json .Config}}", ref)
	if err != nil {
		t.Fatal(err, config)
	}
	var c struct{ Entrypoint, Cmd []string }
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	img.Config.Entrypoint, img.Config.Cmd = c.Entrypoint, c.Cmd
	return img
}
