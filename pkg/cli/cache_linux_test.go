package cli

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/imglint/imglint/pkg/probe/embed"
)

// servingArchive is an archive of an image that passes, of a program for tests
// and more bytes that are noise.
func servingArchive(t *testing.T, more int) string {
	t.Helper()
	if !embed.Standalone(runtime.GOARCH) {
		t.Skip("no probe in this build: run make probe")
	}
	program := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/imglint/imglint/pkg/run/engine/testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	noise := make([]byte, more)
	_, _ = rand.Read(noise) // it never fails
	f, err := os.OpenFile(program, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(noise); err != nil { // behind a program's end nobody looks
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "app.tar")
	archived(t, file, program, v1.Config{Cmd: []string{"/app", "serve", ":8000"}, ExposedPorts: map[string]struct{}{"8000/tcp": {}}})
	return file
}

// cached runs imglint with a cache of its own.
func cached(t *testing.T, dir string, args ...string) (status int, text string) {
	t.Helper()
	cmd := imglint(t, t.TempDir(), args...)
	cmd.Env = append(cmd.Env, "XDG_CACHE_HOME="+dir)
	out, _ := cmd.CombinedOutput() // the status tells
	return cmd.ProcessState.ExitCode(), string(out)
}

func skipUnsupported(t *testing.T, out string) {
	t.Helper()
	if strings.Contains(out, "without an engine is not possible here") {
		t.Skip(out)
	}
}

// TestCache follows a layer from its unpacking to its removal.
func TestCache(t *testing.T) {
	t.Parallel()
	file, dir := servingArchive(t, 0), t.TempDir()
	if status, out := cached(t, dir, "cache"); status != ExitClean || out != "0 layers, 0B of at most 2GiB, in "+dir+"/imglint/layers\n" {
		t.Errorf("empty: %d %s", status, out)
	}
	status, out := cached(t, dir, "--host", noEngine, "--runner", "local", file)
	skipUnsupported(t, out)
	if status != ExitClean {
		t.Fatalf("%d %s", status, out)
	}
	listed := regexp.MustCompile(`^LAYER +SIZE +FILES +LAST USED *\n[0-9a-f]{12} +[0-9.]+MiB +1 +(less than a|[0-9]+) seconds? ago *\n1 layer, [0-9.]+MiB of at most 2GiB, in `)
	if status, out := cached(t, dir, "cache"); status != ExitClean || !listed.MatchString(out) {
		t.Errorf("one: %d %s", status, out)
	}
	for _, tt := range []struct{ flags, want string }{
		{"", "removed 0 layers, 0B\n"}, {"--older-than 1d", "removed 0 layers, 0B\n"}, {"--max 100m", "removed 0 layers, 0B\n"},
		{"--max 1k", "removed 1 layer, "}, {"--all", "removed 0 layers, 0B\n"},
	} {
		status, out := cached(t, dir, append([]string{"cache", "prune"}, strings.Fields(tt.flags)...)...)
		if status != ExitClean || !strings.HasPrefix(out, tt.want) {
			t.Errorf("prune %s: %d %s, want %s", tt.flags, status, out, tt.want)
		}
	}
}

// TestCacheAtOnce: runs that share a cache which somebody else keeps emptying.
func TestCacheAtOnce(t *testing.T) {
	t.Parallel()
	file, dir := servingArchive(t, 1<<20), t.TempDir()
	var runs, pruning sync.WaitGroup
	done := make(chan struct{})
	pruning.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if status, out := cached(t, dir, "cache", "prune", "--all"); status != ExitClean {
				t.Errorf("prune: %d %s", status, out)
			}
			if status, out := cached(t, dir, "cache"); status != ExitClean {
				t.Errorf("list: %d %s", status, out)
			}
		}
	})
	for range 6 {
		runs.Go(func() {
			status, out := cached(t, dir, "--host", noEngine, "--runner", "local", file)
			if status != ExitClean && !strings.Contains(out, "without an engine is not possible here") {
				t.Errorf("%d %s", status, out)
			}
		})
	}
	runs.Wait()
	close(done)
	pruning.Wait()
	if status, out := cached(t, dir, "cache", "prune", "--all"); status != ExitClean {
		t.Errorf("prune: %d %s", status, out)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "imglint", "layers", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// smallDisk runs imglint on each image with a disk of some size for a cache,
// and lists the files that are left there.
const smallDisk = `mount --make-rprivate / && mount -t tmpfs -o size="$1" cache "$XDG_CACHE_HOME" || exit 100
imglint=$2; shift 2; for image; do "$imglint" --host unix:///nonexistent --runner local "$image"; status=$?; done
cd "$XDG_CACHE_HOME" && find . -type f | grep -v '\.lock$'; exit $status`

// TestCacheDiskFull: one sentence and nothing left when there is no room, and
// what nobody uses makes room.
func TestCacheDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	small, large := servingArchive(t, 0), servingArchive(t, 3<<20)
	for _, tt := range []struct {
		name, size string
		images     []string
		status     int
		lines      int
	}{
		{"no room for the image", "2m", []string{large}, ExitUnable, 1},
		{"no room for anything", "8k", []string{large}, ExitUnable, 1},
		{"room for one of two", "10m", []string{small, large}, ExitClean, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", smallDisk, "sh", tt.size, os.Args[0]}, tt.images...)...)
			cmd.Env = append(os.Environ(), asImglint+"=1", "TMPDIR="+t.TempDir(), "XDG_CACHE_HOME="+dir)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 100 {
				t.Skipf("mount: %v: %s", err, out)
			}
			text, want := string(out), "there is no room to unpack the image in "+dir
			if status := cmd.ProcessState.ExitCode(); status != tt.status || strings.Contains(text, want) != (status == ExitUnable) {
				t.Errorf("%d, want %d: %s", status, tt.status, text)
			}
			if tt.lines > 0 && strings.Count(text, "\n") != tt.lines {
				t.Errorf("want one line, and no file left:\n%s", text)
			}
		})
	}
}
