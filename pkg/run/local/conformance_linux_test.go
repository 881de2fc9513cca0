package local

import (
	"archive/tar"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local/layers"
)

var confirm = flag.Bool("confirm", false, "compare with the engine on its images of real programs")

// TestConformance runs images both ways and wants the same to be seen. They
// are those of `make fixtures`, if the engine has them.
func TestConformance(t *testing.T) {
	if !*confirm {
		t.Skip("takes minutes: -confirm")
	}
	tests := []struct {
		image string
		port  int
		user  string
		argv  []string
	}{
		{"python", 8000, "", []string{"python3", "-m", "http.server", "8000"}},
		{"python", 8000, "nobody", []string{"python3", "-m", "http.server", "8000"}},
		{"python", 8000, "", []string{"sleep", "0.5"}},
		{"python", 8000, "", []string{"python3", "-c", "import os; print(os.environ['DATABASE_URL'])"}},
		{"python", 8000, "", []string{"gunicorn", "nothing:app"}},
		{"python", 8000, "", []string{"python3", "-c", "import socket; socket.create_connection(('db', 5432))"}},
		{"python", 8000, "www-data:nogroup", []string{"sh", "-c", "id; env | cut -d= -f1 | sort | grep -v IMGLINT; pwd; ls -ld /tmp | cut -c1-10; cat /etc/shadow; touch /etc/x /usr/x /x; echo to >/dev/stderr"}},
		{"web", 80, "", []string{"nginx", "-g", "daemon off;"}},
		{"web", 80, "", []string{"nginx"}},
		{"web", 80, "www-data", []string{"nginx", "-g", "daemon off;"}},
		{"web", 80, "", []string{"apache2ctl", "-DFOREGROUND"}},
		{"tools", 8000, "", []string{"tini", "--", "gosu", "nobody", "python3", "-m", "http.server", "8000"}},
		{"tools", 8000, "", []string{"sh", "-c", "python3 -m http.server 8000 & exec sleep 100"}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	e, err := engine.Connect(ctx, engine.Options{Probe: func(string) ([]byte, error) { return testProbe() }})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	saved := map[string]savedImage{}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %q as %q", tt.image, tt.argv, tt.user), func(t *testing.T) {
			ref := "imglint-fixtures/" + tt.image
			im, err := e.Open(t.Context(), ref)
			if errors.Is(err, engine.ErrNoImage) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close(context.Background())
			if _, ok := saved[ref]; !ok {
				saved[ref] = save(t, ref)
			}
			spec := runSpec(tt.argv...)
			spec.User, spec.Target.Endpoint.Port = tt.user, tt.port
			for _, m := range modes[:2] {
				mine := openSaved(t, newRunner(t, m.change), im.Facts(), saved[ref])
				compare(t, m.name, im, mine, spec)
			}
		})
	}
}

// compare runs a spec on both and, after an exit with 0, wrapped.
func compare(t *testing.T, mode string, theirs run.Observer, ours run.Observer, spec run.Spec) {
	t.Helper()
	want, err := theirs.Observe(t.Context(), spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	var doubt *InconclusiveError
	got, err := ours.Observe(t.Context(), spec, nil)
	if errors.As(err, &doubt) {
		t.Logf("%s: %v", mode, err)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(essence(want), essence(got)); diff != "" {
		t.Errorf("%s, wrapped %t: -engine +local:\n%s\nengine: %s\nlocal: %s", mode, spec.Wrapped, diff, text(want.Log), text(got.Log))
	}
	if !spec.Wrapped && want.Exit != nil && want.Exit.Code == 0 {
		spec.Wrapped = true
		compare(t, mode, theirs, ours, spec)
	}
}

// essence is what a run shows that does not change from one to the next.
func essence(r facts.Run) []string {
	var lines []string
	last := map[string]string{}
	for _, l := range r.Open() {
		last[l.Address()] = "listens on " + l.Address()
	}
	for _, e := range r.Events {
		switch e.Kind {
		case facts.EventAnswer:
			key := fmt.Sprintf("asked %s:%d", e.Answer.To, e.Answer.Port)
			last[key] = fmt.Sprintf("%s: %s %d %s", key, e.Answer.Class, e.Answer.Status, e.Answer.Protocol)
		case facts.EventExecError:
			lines = append(lines, "exec error "+e.Errno)
		}
	}
	if r.Exit != nil && r.Survivors == nil {
		clear(last) // its last moments may be seen or not
	}
	for _, text := range last {
		lines = append(lines, text)
	}
	for _, s := range r.Survivors {
		lines = append(lines, fmt.Sprintf("survived %q own session %t", s.Exe, s.SID == s.PID))
	}
	if r.Exit != nil {
		lines = append(lines, fmt.Sprintf("exit %d %s %s", r.Exit.Code, r.Exit.Signal, r.Exit.Refused))
	}
	for _, l := range r.Log.Tail(20) {
		if r.Exit != nil && r.Survivors == nil {
			lines = append(lines, l.Stream+" "+digits.ReplaceAllString(l.Text, "0"))
		}
	}
	lines = append(lines, "stopped "+string(r.Stopped))
	slices.SortFunc(lines, cmp.Compare[string])
	return slices.Compact(lines)
}

// digits are times and PIDs.
var digits = regexp.MustCompile(`[0-9]+`)

// savedImage is an image as `docker save` writes it.
type savedImage struct {
	dir    string
	layers []string // file names, bottom first
	ids    []string
}

func save(t *testing.T, ref string) savedImage {
	t.Helper()
	dir := filepath.Join(os.TempDir(), "imglint-test-saved-"+filepath.Base(ref))
	savedDirs = append(savedDirs, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "save", ref)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(h.Name) == ".json" {
			files[h.Name], err = io.ReadAll(r)
		} else if h.Typeflag == tar.TypeReg {
			err = keep(filepath.Join(dir, h.Name), r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	var manifest []struct {
		Config string
		Layers []string
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	return savedImage{dir, manifest[0].Layers, config.RootFS.DiffIDs}
}

// savedDirs are removed at the end.
var savedDirs []string

func keep(name string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, r)
	return err
}

func openSaved(t *testing.T, r *Runner, i facts.Image, s savedImage) *Image {
	t.Helper()
	var from []layers.Layer
	for n, name := range s.layers {
		from = append(from, layers.Layer{DiffID: s.ids[n], Open: func() (io.ReadCloser, error) { return os.Open(filepath.Join(s.dir, name)) }})
	}
	start := time.Now()
	im, err := r.Open(t.Context(), i, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened in %s", time.Since(start))
	t.Cleanup(func() {
		if err := im.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return im
}
