package conformance

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

// root is the root file system of some suites.
type root struct {
	ID     string // of the image
	DiffID string // of all its files as one layer
	Env    []string
	layer  layers.Layer
	held   *layers.Held
}

// enginePatience bounds one call of the engine; writing 3 GB takes a minute.
const enginePatience = 10 * time.Minute

func docker(ctx context.Context, out io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// openRoot finds the files of an image in the cache, or has the engine write
// them there.
func openRoot(t *testing.T, dir, name string) *root {
	t.Helper()
	ref := "imglint-fixtures/" + name
	var out bytes.Buffer
	if err := docker(t.Context(), &out, "image", "inspect", "-f", "{{.Id}} {{json .Config.Env}}", ref); err != nil {
		missing := t.Skipf
		if *all {
			missing = t.Fatalf
		}
		missing("needs the image %s, which `make conformance` builds with a Docker engine: %v", ref, err)
	}
	id, env, _ := strings.Cut(out.String(), " ")
	r := &root{ID: id}
	if err := json.Unmarshal([]byte(env), &r.Env); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, strings.Replace(id, ":", "-", 1)+".json")
	if text, err := os.ReadFile(note); err == nil {
		if err := json.Unmarshal(text, r); err != nil {
			t.Fatalf("%s: %v", note, err)
		}
	}
	file := filepath.Join(dir, "root-"+name+".tar")
	defer os.Remove(file)
	if r.DiffID == "" {
		r.DiffID = export(t, ref, file)
	}
	r.layer = layers.Layer{DiffID: r.DiffID, Open: func() (io.ReadCloser, error) {
		if _, err := os.Stat(file); err != nil { // known, but no longer in the cache
			export(t, ref, file)
		}
		return os.Open(file)
	}}
	r.hold(t, dir)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(note, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// export writes an image's files as one layer and returns its digest.
func export(t *testing.T, ref, file string) string {
	t.Helper()
	start := time.Now()
	var id bytes.Buffer
	if err := docker(t.Context(), &id, "create", "--label", "dev.imglint.conformance", ref, "true"); err != nil {
		t.Fatal(err)
	}
	container := strings.TrimSpace(id.String())
	defer func() {
		if err := docker(context.Background(), io.Discard, "rm", container); err != nil {
			t.Error(err)
		}
	}()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if err := docker(t.Context(), io.MultiWriter(f, sum), "export", container); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s was exported in %.1f s", ref, time.Since(start).Seconds())
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// hold unpacks the files, where that was not done, and keeps them there.
func (r *root) hold(t *testing.T, dir string) {
	t.Helper()
	cache, err := layers.Open(filepath.Join(dir, "layers"), os.Geteuid() == 0, layers.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if r.held, err = cache.Get(t.Context(), r.layer); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.held.Release)
}

// with returns the files of a case, in their resolved places, and the layer
// that holds them.
func (r *root) with(files map[string]string) (tree, *layers.Layer, error) {
	base := tree{dir: r.held.Dir}
	placed := tree{r.held.Dir, map[string]string{}}
	for name, text := range files {
		at, err := base.resolve("place", name[1:], true)
		if err != nil {
			return tree{}, nil, err
		}
		placed.files[at] = text
	}
	if len(files) == 0 {
		return placed, nil, nil
	}
	content, err := placed.pack()
	if err != nil {
		return tree{}, nil, err
	}
	sum := sha256.Sum256(content)
	return placed, &layers.Layer{
		DiffID: "sha256:" + hex.EncodeToString(sum[:]),
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}, nil
}

// pack writes the files as a layer. Directories that the root has keep their
// modes and owners.
func (t tree) pack() ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	done := map[string]bool{"/": true}
	var parent func(dir string) error
	parent = func(dir string) error {
		if done[dir] {
			return nil
		}
		done[dir] = true
		if err := parent(path.Dir(dir)); err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755}
		var info syscall.Stat_t
		if syscall.Lstat(filepath.Join(t.dir, dir), &info) == nil {
			h.Mode, h.Uid, h.Gid = int64(info.Mode&0o7777), int(info.Uid), int(info.Gid)
		}
		return w.WriteHeader(h)
	}
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		text := t.files[name]
		if err := parent(path.Dir(name)); err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: name[1:], Mode: mode(text), Size: int64(len(text))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// image is what the runner is told about a case.
func (r *root) image(c *testCase) facts.Image {
	return facts.Image{Ref: c.name(), OS: "linux", Config: c.config(facts.Config{Env: r.Env})}
}
