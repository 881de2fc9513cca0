package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// TestMain removes the images that the tests made.
func TestMain(m *testing.M) {
	code := m.Run()
	made.remove()
	os.Exit(code)
}

// buildGo builds a static program once.
func buildGo(pkg string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "imglint-test-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		out := filepath.Join(dir, "program")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if text, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
		return os.ReadFile(out)
	})
}

var (
	testProgram = buildGo("./testdata/app")
	testProbe   = buildGo("github.com/imglint/imglint/cmd/probe")
)

// images are those that the tests made, by their recipe.
type images struct {
	sync.Mutex
	client *client.Client // of the first engine; nil when none was made
	byKey  map[string]string
}

var made = images{byKey: map[string]string{}}

// node is a file of a test image: a directory when its name ends in a slash.
type node struct {
	name    string
	kind    byte // of tar; zero tells by the name
	content string
	mode    int64
	link    string
	uid     int
}

// makeImage imports an image FROM scratch with the test program at /app. The
// changes are Dockerfile instructions.
func makeImage(t testing.TB, e *Engine, changes []string, nodes ...node) string {
	t.Helper()
	made.Lock()
	defer made.Unlock()
	key := fmt.Sprint(changes, nodes)
	if id, ok := made.byKey[key]; ok {
		return id
	}
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	all := append([]node{
		{name: "app", content: string(program), mode: 0o755},
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", content: "root:x:0:0::/:/x\nweb:x:1000:1000::/:/x\n", mode: 0o644},
		{name: "tmp/", mode: 0o1777},
	}, nodes...)
	id := importImage(t, e.api.client, pack(t, all), changes)
	made.byKey[key] = id
	if made.client == nil {
		made.client = outlasting(t)
	}
	return id
}

// outlasting is a client of the engine itself: a test may use one behind a
// socket of its own.
func outlasting(t testing.TB) *client.Client {
	t.Helper()
	at, err := hostSurroundings().resolve("")
	if err != nil {
		t.Fatal(err)
	}
	c, err := at.dial(new(heard))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func importImage(t testing.TB, c *client.Client, rootfs io.Reader, changes []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	body, err := c.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, "", image.ImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(text), "sha256:")
	if i < 0 {
		t.Fatalf("import: %s", text)
	}
	return string(text[i : i+len("sha256:")+64])
}

func pack(t testing.TB, nodes []node) io.Reader {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, n := range nodes {
		h := &tar.Header{Name: n.name, Mode: n.mode, Size: int64(len(n.content)), Typeflag: n.kind, Linkname: n.link, Uid: n.uid}
		if strings.HasSuffix(n.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, n.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func (m *images) remove() {
	if m.client == nil {
		return
	}
	defer m.client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, id := range m.byKey {
		if _, err := m.client.ImageRemove(ctx, id, image.RemoveOptions{Force: true}); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}
