package local

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// programsEnv names a directory with the built programs, for a test that runs
// as another user.
const programsEnv = "IMGLINT_TEST_PROGRAMS"

// buildGo builds a static program once.
func buildGo(name, pkg string) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		if dir := os.Getenv(programsEnv); dir != "" {
			return os.ReadFile(filepath.Join(dir, name))
		}
		dir, err := os.MkdirTemp("", "imglint-test-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		out := filepath.Join(dir, name)
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if text, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
		return os.ReadFile(out)
	})
}

// The engine's tests use the same program, so that both runners see the same.
var (
	testProgram = buildGo("app", "github.com/imglint/imglint/pkg/run/engine/testdata/app")
	testProbe   = buildGo("probe", "github.com/imglint/imglint/cmd/probe")
)

// node is a file of a test image: a directory when its name ends in a slash.
type node struct {
	name    string
	kind    byte // of tar; zero tells by the name
	content string
	mode    int64
	link    string
	uid     int
}

func pack(t testing.TB, nodes []node) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, n := range nodes {
		h := &tar.Header{
			Name: n.name, Mode: n.mode, Size: int64(len(n.content)), Typeflag: n.kind, Linkname: n.link,
			Uid: n.uid, Gid: n.uid,
		}
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
	return buf.Bytes()
}

func layerOf(content []byte) layers.Layer {
	sum := sha256.Sum256(content)
	return layers.Layer{
		DiffID: "sha256:" + hex.EncodeToString(sum[:]),
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// baseLayer has the test program at /app.
func baseLayer(t testing.TB) layers.Layer {
	t.Helper()
	program, err := testProgram()
	if err != nil {
		t.Fatal(err)
	}
	return layerOf(pack(t, []node{
		{name: "app", content: string(program), mode: 0o755},
		{name: "etc/", mode: 0o755},
		{name: "etc/passwd", content: "root:x:0:0::/:/x\nweb:x:1000:1000::/home/web:/x\n", mode: 0o644},
		{name: "tmp/", mode: 0o1777},
	}))
}

var cacheDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "imglint-test-cache-") })

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range savedDirs {
		os.RemoveAll(dir)
	}
	if dir, err := cacheDir(); err == nil {
		if _, err := Prune(Options{Dir: dir}, layers.Nothing); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// mode is one way to run.
type mode struct {
	name   string
	change func(*Options)
}

// modes are those that this user can be tested with.
var modes = []mode{
	{"own users", func(*Options) {}},
	{"one user", func(o *Options) { o.OneUser = true }},
	{"a copy", func(o *Options) { o.Copy = true }},
}

func newRunner(t testing.TB, change func(*Options)) *Runner {
	t.Helper()
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Probe: func(string) ([]byte, error) { return testProbe() }}
	change(&o)
	r, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// open opens an image of the base layer and more nodes.
func open(t testing.TB, r *Runner, config facts.Config, nodes ...node) *Image {
	t.Helper()
	from := []layers.Layer{baseLayer(t)}
	if len(nodes) > 0 {
		from = append(from, layerOf(pack(t, nodes)))
	}
	im, err := r.Open(t.Context(), facts.Image{Ref: "test", Config: config}, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := im.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return im
}

// slots bounds the runs at a time: machines are shared.
var slots = make(chan struct{}, 2)

func observe(t testing.TB, im *Image, change func(*run.Spec), argv ...string) facts.Run {
	t.Helper()
	slots <- struct{}{}
	defer func() { <-slots }()
	spec := runSpec(argv...)
	if change != nil {
		change(&spec)
	}
	seen, err := im.Observe(t.Context(), spec, nil)
	if errors.Is(err, ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func runSpec(argv ...string) run.Spec {
	return run.Spec{
		Argv:   argv,
		Limits: run.Limits{Memory: run.DefaultLimits.Memory, Pids: 64, LogBytes: 1 << 20},
		Settle: 300 * time.Millisecond,
		Target: facts.Target{
			Endpoint:   facts.Endpoint{Port: 8000},
			Probe:      facts.Probe{Method: "GET", Path: "/", Host: "containers", TryTimeout: 2 * time.Second},
			BootWindow: 15 * time.Second,
		},
	}
}

func text(log facts.Log) string {
	var all []string
	for _, l := range log.Lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, "\n")
}
