package cli

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/report"
)

// asImglint makes this test binary be imglint, for tests of the process.
const asImglint = "IMGLINT_TEST_AS_IMGLINT"

func TestMain(m *testing.M) {
	if os.Getenv(asImglint) != "" {
		os.Exit(Main(os.Args[1:], Standard()))
	}
	os.Exit(m.Run())
}

const base = "imglint-fixtures/busybox"

// docker runs the docker command with a deadline.
func docker(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// build makes an image from Dockerfile lines on the smallest base.
func build(t *testing.T, name string, lines ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine: not with -short")
	}
	if _, err := docker(t, "image", "inspect", "--format", "{{.Id}}", base); err != nil {
		t.Skipf("needs %s: run fixtures/engine up && fixtures/bases/build busybox (%v)", base, err)
	}
	dir := t.TempDir()
	text := "FROM " + base + "\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := "imglint-fixtures/cli:" + name
	if _, err := docker(t, "build", "--quiet", "--label", "dev.imglint.fixture=cli", "--tag", ref, dir); err != nil {
		t.Fatal(err)
	}
	return ref
}

// serving answers HTTP on port 8000 at once.
// It has no handler for SIGTERM, which is another rule's business.
var serving = []string{"EXPOSE 8000", "STOPSIGNAL SIGKILL", `CMD ["httpd", "-f", "-p", "0.0.0.0:8000"]`}

func TestGoodImage(t *testing.T) {
	ref := build(t, "good", serving...)
	status, out, errs := call(t, nil, ref)
	if status != ExitClean || errs != "" {
		t.Errorf("exit status %d, said %q", status, errs)
	}
	for _, want := range []string{"PASS", "port 8000 answered 404", "no findings"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
	if status, out, _ := call(t, nil, "--quiet", ref); status != ExitClean || out != "" {
		t.Errorf("--quiet: exit status %d, printed %q", status, out)
	}
}

func TestFailingImage(t *testing.T) {
	ref := build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)
	status, out, errs := call(t, nil, ref)
	if status != ExitFindings || errs != "" {
		t.Errorf("exit status %d, said %q", status, errs)
	}
	for _, want := range []string{"FAIL", "exited with code 7", "no settings", "[exits-at-once]"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
	if status, out, _ := call(t, nil, "--ignore", "exits-at-once", ref); status != ExitClean || !strings.Contains(out, "FAIL") {
		t.Errorf("ignored: exit status %d, printed %q; want 0 and the verdict all the same", status, out)
	}
}

// TestFailOn: what was found decides the status, not the verdict.
func TestFailOn(t *testing.T) {
	ref := build(t, "late", "EXPOSE 8000", `CMD ["sh", "-c", "sleep 2; exec httpd -f -p 8000"]`)
	args := []string{"--boot-window", "3s", ref}
	if status, out, _ := call(t, nil, args...); status != ExitClean || !strings.Contains(out, "warning") {
		t.Errorf("exit status %d, printed %q; want 0 and a warning", status, out)
	}
	if status, _, _ := call(t, nil, append([]string{"--fail-on", "warning"}, args...)...); status != ExitFindings {
		t.Errorf("--fail-on warning: exit status %d, want 1", status)
	}
}

func TestJSONOutput(t *testing.T) {
	good := build(t, "good", serving...)
	crash := build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errs := call(t, nil, "--format", "json", "-o", file, good, "127.0.0.1:1/none:1", crash)
	if status != ExitUnable || out != "" {
		t.Errorf("exit status %d, printed %q, said %q; want 3 because one image is missing", status, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc report.Document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, image := range doc.Images {
		got = append(got, fmt.Sprintf("%s %t", image.Verdict, image.Error != ""))
	}
	if want := []string{"pass false", "unknown true", "fail false"}; !slices.Equal(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
}

func TestUnknownImage(t *testing.T) {
	build(t, "good", serving...)
	status, out, errs := call(t, nil, "127.0.0.1:1/nothing/here:1")
	if status != ExitUnable || out != "" {
		t.Errorf("exit status %d, printed %q", status, out)
	}
	for _, want := range []string{"imglint: 127.0.0.1:1/nothing/here:1: ", "does not have it", "127.0.0.1:1"} {
		if !strings.Contains(errs, want) {
			t.Errorf("said %q, want %q in it", errs, want)
		}
	}
	if strings.Count(errs, "\n") != 1 {
		t.Errorf("said more than one line: %q", errs)
	}
}

func TestMalformedReference(t *testing.T) {
	t.Parallel()
	status, _, errs := call(t, nil, "--host", noEngine, "My App:latest")
	if status == ExitClean || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "My App:latest") {
		t.Errorf("exit status %d, said %q", status, errs)
	}
}

// left lists what carries imglint's label on the engine, but for what others
// who share it are using.
func left(t *testing.T) []string {
	t.Helper()
	const owner = `{{.Label "dev.imglint.pid"}}`
	var all []string
	for _, list := range [][]string{
		{"ps", "--all", "--format", "{{.ID}} " + owner},
		{"volume", "ls", "--format", "{{.Name}} " + owner},
		{"network", "ls", "--format", "{{.ID}} " + owner},
		{"image", "ls", "--format", "{{.ID}}"},
	} {
		out, err := docker(t, append(list, "--filter", "label=dev.imglint")...)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			id, pid, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !stranger(pid) {
				all = append(all, id)
			}
		}
	}
	return all
}

// stranger reports whether a process lives that is neither this one nor was
// started by it.
func stranger(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if pid == "" || pid == strconv.Itoa(os.Getpid()) || err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	return len(fields) > 1 && fields[1] != strconv.Itoa(os.Getpid())
}

// begin starts imglint as a process on an image that never listens.
func begin(t *testing.T) *exec.Cmd {
	t.Helper()
	ref := build(t, "idle", "EXPOSE 8000", `CMD ["sleep", "600"]`)
	cmd := exec.CommandContext(t.Context(), os.Args[0], ref)
	cmd.Env = append(os.Environ(), asImglint+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

func TestInterruptLeavesNothing(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		before := left(t)
		cmd := begin(t)
		until(t, "both containers are there", func() bool { return len(left(t)) >= len(before)+2 })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != ExitUnable {
			t.Errorf("%v: exit status %d (%v), want %d", signal, got, err, ExitUnable)
		}
		if now := left(t); len(now) > len(before) {
			t.Errorf("%v left %v, before there was %v", signal, now, before)
		}
	}
}

func TestSweepAfterKill(t *testing.T) {
	before := left(t)
	cmd := begin(t)
	until(t, "both containers are there", func() bool { return len(left(t)) >= len(before)+2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // its status says only that it was killed
	if len(left(t)) <= len(before) {
		t.Fatal("a killed imglint left nothing behind, so there is nothing to sweep")
	}
	good := build(t, "good", serving...)
	if status, _, errs := call(t, nil, good); status != ExitClean {
		t.Fatalf("exit status %d, said %q", status, errs)
	}
	if now := left(t); len(now) > len(before) {
		t.Errorf("the next run left %v, before there was %v", now, before)
	}
}

// archive makes an image as docker save does, for an architecture.
func archive(t *testing.T, ref, arch string) []byte {
	t.Helper()
	layer := tarOf(t, map[string]string{"app": "#!/nothing\n"})
	digest := sha256.Sum256(layer)
	config := fmt.Sprintf(`{"architecture":%q,"os":"linux","config":{"Cmd":["/app"],"ExposedPorts":{"8000/tcp":{}}},`+
		`"rootfs":{"type":"layers","diff_ids":["sha256:%x"]},"history":[{"created_by":"COPY app"}]}`, arch, digest)
	manifest := fmt.Sprintf(`[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, ref)
	return tarOf(t, map[string]string{"layer.tar": string(layer), "config.json": config, "manifest.json": manifest})
}

func tarOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestForeignArchitecture: an image that this machine cannot run is read, and
// what was not looked at is said.
func TestForeignArchitecture(t *testing.T) {
	build(t, "good", serving...) // skips without an engine
	const ref = "imglint-fixtures/cli:foreign"
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(name, archive(t, ref, "s390x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := docker(t, "load", "--quiet", "--input", name); err != nil {
		t.Fatal(err)
	}
	defer docker(t, "rmi", ref)
	status, out, errs := call(t, nil, ref)
	if status != ExitFindings || errs != "" {
		t.Errorf("exit status %d, said %q", status, errs)
	}
	for _, want := range []string{
		"not checked: what it does when it runs: the image is for s390x and this engine runs ",
		"/app is run by /nothing, which is not in the image",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
}

// TestObserverKilled: a program that kills all it can leaves nobody who sees
// anything, and that is said instead of a finding.
func TestObserverKilled(t *testing.T) {
	ref := build(t, "killer", "EXPOSE 8000", `CMD ["sh", "-c", "sleep 2; kill -9 -1; exec httpd -f -p 8000"]`)
	status, out, errs := call(t, nil, ref)
	if status != ExitUnable || errs != "" {
		t.Errorf("exit status %d, said %q", status, errs)
	}
	for _, want := range []string{"UNKNOWN", "not checked: what it does when it runs: what imglint watches from inside the container fell silent", "no findings"} {
		if !strings.Contains(out, want) {
			t.Errorf("printed %q, want %q in it", out, want)
		}
	}
}

// TestNetwork: an image that needs a service finds it on the network it is
// attached to, and not without.
func TestNetwork(t *testing.T) {
	ref := build(t, "needy", "EXPOSE 8000", `CMD ["sh", "-c", "wget -q -O - http://imglint-cli-service:9000/ready && exec httpd -f -p 8000"]`)
	network := fmt.Sprintf("imglint-cli-%d", os.Getpid())
	if _, err := docker(t, "network", "create", "--internal", "--label", "dev.imglint.fixture=cli", network); err != nil {
		t.Fatal(err)
	}
	defer docker(t, "network", "rm", network)
	service, err := docker(t, "run", "--detach", "--network", network, "--name", "imglint-cli-service", base,
		"sh", "-c", "mkdir /www; echo yes >/www/ready; exec httpd -f -p 9000 -h /www")
	if err != nil {
		t.Fatal(err)
	}
	defer docker(t, "rm", "--force", "--volumes", service)
	if status, out, errs := call(t, nil, "--network", network, ref); status != ExitClean {
		t.Errorf("with the network: exit status %d, printed %q, said %q", status, out, errs)
	}
	if status, out, _ := call(t, nil, ref); status != ExitFindings {
		t.Errorf("without: exit status %d, printed %q", status, out)
	}
}
