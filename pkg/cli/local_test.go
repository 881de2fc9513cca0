package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// appFiles is an application that listens on the loopback address only, on a
// base image of the registry at HOST.
var appFiles = map[string]string{
	"Dockerfile":       "FROM HOST/python:3 as base\nWORKDIR /app\nCOPY . .\nRUN chmod +x entrypoint.sh\nEXPOSE 8000\nENTRYPOINT [\"/app/entrypoint.sh\"]\n# the server\nCMD [\"gunicorn\", \"--bind\", \"127.0.0.1:8000\", \"shop:app\"]\n",
	"gunicorn.conf.py": "workers = 2\n",
	"entrypoint.sh":    "#!/bin/sh\nset -e\nexec \"$@\"\n",
}

const fixedCmd = `CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop:app"]`

// registryHost serves images in memory.
func registryHost(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func pushed(t *testing.T, ref string, what any) {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(parsed, what)
	case v1.ImageIndex:
		err = remote.WriteIndex(parsed, what)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// configured is an image without files.
func configured(t *testing.T, c v1.Config, history ...string) v1.Image {
	t.Helper()
	file := &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: c, RootFS: v1.RootFS{Type: "layers"}}
	for _, h := range history {
		file.History = append(file.History, v1.History{CreatedBy: h, EmptyLayer: true})
	}
	img, err := mutate.ConfigFile(empty.Image, file)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// app writes the application and returns its directory.
func app(t *testing.T, change func(string) string) string {
	t.Helper()
	host := registryHost(t)
	pushed(t, host+"/python:3", configured(t, v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Cmd: []string{"python3"}}))
	dir := t.TempDir()
	for name, text := range appFiles {
		text = strings.ReplaceAll(text, "HOST", host)
		if name == "Dockerfile" && change != nil {
			text = change(text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDockerfileArgument(t *testing.T) {
	t.Parallel()
	dir := app(t, nil)
	file := filepath.Join(dir, "Dockerfile")
	for _, argument := range []string{dir, file} {
		status, out, errs := call(t, nil, "--host", noEngine, argument)
		for _, want := range []string{
			"FAIL  the release health check will fail (read from the Dockerfile, nothing built)\n",
			file + ":8: error: gunicorn will listen on 127.0.0.1:8000, which nothing outside the container can reach [loopback-bind]\n",
			file + ":1: note: 'as' and 'FROM' keywords' casing do not match [FromAsCasing]\n",
			"not built  linux/amd64",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", argument, want, out)
			}
		}
		if status != ExitFindings || errs != "" || strings.Contains(out, "not checked") {
			t.Errorf("%s: status %d, %q\n%s", argument, status, errs, out)
		}
	}
	_, out, _ := call(t, nil, "--host", noEngine, "--no-build-checks", file)
	_, ignored, _ := call(t, nil, "--host", noEngine, "--ignore", "FromAsCasing", file)
	if strings.Contains(out, "[FromAsCasing]") || strings.Contains(ignored, "[FromAsCasing]") {
		t.Errorf("a build check that is switched off speaks:\n%s\n%s", out, ignored)
	}
}

func TestExplainBuildCheck(t *testing.T) {
	t.Parallel()
	status, out, _ := call(t, nil, "explain", "FromAsCasing")
	if status != ExitClean || !strings.Contains(out, "https://docs.docker.com/go/dockerfile/rule/from-as-casing/") {
		t.Errorf("%d: %s", status, out)
	}
}

func TestTargetAndBuildArgument(t *testing.T) {
	t.Parallel()
	dir := app(t, func(text string) string {
		return text + "FROM base\nARG ADDRESS\nENV GUNICORN_CMD_ARGS=\"--bind ${ADDRESS}:8000\"\nCMD [\"gunicorn\", \"shop:app\"]\n"
	})
	for want, args := range map[string][]string{
		":8: error":  {"--target", "base"},
		":12: error": {"--build-arg", "ADDRESS=127.0.0.1"},
		"":           {"--build-arg", "ADDRESS=0.0.0.0"},
	} {
		status, out, _ := call(t, nil, append(args, "--host", noEngine, dir)...)
		if want == "" && (status != ExitClean || strings.Contains(out, "loopback-bind")) || want != "" && !strings.Contains(out, want) {
			t.Errorf("%v: status %d, want %q\n%s", args, status, want, out)
		}
	}
	status, _, errs := call(t, nil, "--host", noEngine, "--target", "none", dir)
	if status != ExitUnable || !strings.Contains(errs, `no stage "none"`) {
		t.Errorf("%d %s", status, errs)
	}
}

// TestUnknownBase: nothing is claimed about what an unread base decides.
func TestUnknownBase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "Dockerfile.prod")
	if err := os.WriteFile(file, []byte("FROM 127.0.0.1:1/none:1\nEXPOSE 80\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ := call(t, nil, "--host", noEngine, file)
	if status != ExitUnable || strings.Contains(out, "[no-command]") || !strings.Contains(out, "not checked: what the base image 127.0.0.1:1/none:1 sets: ") {
		t.Errorf("%d\n%s", status, out)
	}
	if err := os.WriteFile(file, []byte("FROM 127.0.0.1:1/none:1\nCMD [\"gunicorn\", \"a:b\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ = call(t, nil, "--host", noEngine, file)
	if status != ExitClean || !strings.Contains(out, "warning: the image exposes no port") || !strings.Contains(out, "not certain: what the base image 127.0.0.1:1/none:1 sets besides could not be read") {
		t.Errorf("%d\n%s", status, out)
	}
}

// TestDiffApplies gives the whole output to git apply, and holds what --fix
// writes against it; line ends stay.
func TestDiffApplies(t *testing.T) {
	t.Parallel()
	for name, eol := range map[string]string{"lf": "\n", "crlf": "\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := app(t, func(text string) string { return strings.ReplaceAll(text, "\n", eol) })
			file := filepath.Join(dir, "Dockerfile")
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, out, _ := call(t, nil, "--host", noEngine, "--diff", file)
			if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
				t.Fatal("--diff wrote the file")
			}
			want := strings.Replace(string(before), `CMD ["gunicorn", "--bind", "127.0.0.1:8000", "shop:app"]`, fixedCmd, 1)
			if git, err := exec.LookPath("git"); err == nil {
				apply := exec.Command(git, "apply", "--unsafe-paths", "--directory=/", "-p1")
				apply.Dir, apply.Stdin = t.TempDir(), strings.NewReader(out)
				if text, err := apply.CombinedOutput(); err != nil {
					t.Fatalf("git apply: %v: %s\n%s", err, text, out)
				}
				after, err := os.ReadFile(file)
				if diff := cmp.Diff(want, string(after)); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
			if err := os.WriteFile(file, before, 0o640); err != nil {
				t.Fatal(err)
			}
			status, _, errs := call(t, nil, "--host", noEngine, "--fix", file)
			after, err := os.ReadFile(file)
			if diff := cmp.Diff(want, string(after)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if status != ExitFindings || errs != "imglint: changed "+file+" for loopback-bind; build the image again\n" {
				t.Errorf("%d %q", status, errs)
			}
			if status, out, errs := call(t, nil, "--host", noEngine, "--fix", "--diff", file); status != ExitClean || errs != "" || strings.Contains(out, "+++") {
				t.Errorf("there is nothing left to fix: %d %s%s", status, errs, out)
			}
		})
	}
}

func TestDiffNeedsText(t *testing.T) {
	t.Parallel()
	if status, _, errs := call(t, nil, "--diff", "--format", "json", "app"); status != ExitUsage || !strings.Contains(errs, "--diff prints after the text report") {
		t.Errorf("%d %s", status, errs)
	}
}

// TestStoredImages: an archive, a layout and a pipe are not in an engine.
func TestStoredImages(t *testing.T) {
	t.Parallel()
	img := configured(t, v1.Config{Cmd: []string{"gunicorn", "shop:app"}, Env: []string{"PATH=/usr/bin"}})
	var archive bytes.Buffer
	if err := tarball.Write(name.MustParseReference("app:1"), img, &archive); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "saved")
	if err := os.WriteFile(file, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stored := t.TempDir()
	if p, err := layout.Write(stored, empty.Index); err != nil || p.AppendImage(img) != nil {
		t.Fatal(err)
	}
	for argument, hint := range map[string]string{file: "docker load -i " + file, stored: "skopeo copy oci:" + stored, "-": "docker load"} {
		var out, errs bytes.Buffer
		status := Main([]string{"--host", noEngine, "--runner", "docker", argument}, IO{In: bytes.NewReader(archive.Bytes()), Out: &out, Err: &errs, Width: func() int { return 80 }, Getenv: func(string) string { return "" }})
		if status != ExitFindings || !strings.Contains(out.String(), "[missing-expose]") || !strings.Contains(out.String(), "not checked: what it does when it runs: ") || !strings.Contains(out.String(), hint) {
			t.Errorf("%s: %d %s%s", argument, status, out.String(), errs.String())
		}
	}
	if err := os.WriteFile(file, archive.Bytes()[:520], 0o600); err != nil {
		t.Fatal(err)
	}
	status, _, errs := call(t, nil, file)
	if status != ExitUnable || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "it is cut off: the archive ends in the middle of a file") {
		t.Errorf("%d %s", status, errs)
	}
	if status, _, errs := call(t, nil, "-", "-"); status != ExitUsage || !strings.Contains(errs, "standard input (-) can be read once") {
		t.Errorf("%d %s", status, errs)
	}
}

// TestProvenance: the Dockerfile comes from the attestation beside the image.
func TestProvenance(t *testing.T) {
	t.Parallel()
	host := registryHost(t)
	img := configured(t, v1.Config{Cmd: []string{"/srv/app"}}, "CMD [\"/srv/app\"]")
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	statement := map[string]any{"predicate": map[string]any{"runDetails": map[string]any{"metadata": map[string]any{"buildkit_metadata": map[string]any{"source": map[string]any{
		"infos": []any{map[string]any{"filename": "Dockerfile", "language": "Dockerfile", "data": base64.StdEncoding.EncodeToString([]byte("FROM scratch\n\nCMD [\"/srv/app\"]\n"))}}}}}}}}
	text, err := json.Marshal(statement)
	if err != nil {
		t.Fatal(err)
	}
	attestation, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(text, types.MediaType("application/vnd.in-toto+json")), Annotations: map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}})
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": digest.String()},
		}},
	)
	pushed(t, host+"/app:1", index)
	_, out, errs := call(t, nil, "--host", noEngine, "--static", "--fix", host+"/app:1")
	if !strings.Contains(out, "\nDockerfile:3: error: ") {
		t.Errorf("no line of the Dockerfile in\n%s%s", out, errs)
	}
	other := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(other, []byte("FROM scratch\nCMD [\"/other\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ = call(t, nil, "--host", noEngine, "--static", "--dockerfile", other, host+"/app:1")
	if !strings.Contains(out, "not checked: which line of "+other+": this image was not built from "+other) || !strings.Contains(out, "\nDockerfile:3: error: ") {
		t.Errorf("a mismatch is not said in\n%s", out)
	}
}
