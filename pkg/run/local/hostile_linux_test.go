package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// hostile is a program that attacks whoever runs it.
var hostile = buildGo("hostile", "github.com/imglint/imglint/pkg/run/local/testdata/hostile")

func TestObserveHostile(t *testing.T) {
	t.Parallel()
	program, err := hostile()
	if err != nil {
		t.Fatal(err)
	}
	attack := node{name: "hostile", content: string(program), mode: 0o755}
	tests := []struct {
		what string
		want string // the log
		stop facts.Stop
	}{
		{"calls", "", facts.StopExited}, // lists the calls that were not refused
		{"files", "", facts.StopExited}, // lists what can be written outside
		{"binary", "", facts.StopExited},
		{"identity", "capabilities 0 of those an engine drops; no new privileges 1; seccomp 2", facts.StopExited},
		{"kill", "alive", facts.StopExited},
		{"forks", "stopped forking", facts.StopExited},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *Runner) {
				im := open(t, r, facts.Config{}, attack)
				began := time.Now()
				seen := observe(t, im, func(s *run.Spec) { s.Target.BootWindow = 20 * time.Second }, "/hostile", tt.what)
				if got := text(seen.Log); got != tt.want || seen.Stopped != tt.stop {
					t.Errorf("log %q, stopped %q after %s with %+v; want %q", got, seen.Stopped, time.Since(began), seen.Exit, tt.want)
				}
			})
		})
	}
}

// Eight at once share the cache and do not see each other.
func TestObserveAtOnce(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for range 8 {
		r := newRunner(t, func(*Options) {})
		im := open(t, r, facts.Config{})
		wait.Go(func() {
			seen := observe(t, im, nil, "/app", "serve", ":8000")
			if seen.Stopped != facts.StopAnswered || len(seen.Open()) != 1 {
				t.Errorf("stopped %q, listeners %+v", seen.Stopped, seen.Open())
			}
		})
	}
	wait.Wait()
}

// An image's links cannot make imglint write outside when it furnishes the
// root with its own files.
func TestObserveLinks(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 20)
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{WorkingDir: "/work/new", Volumes: []string{"/vol/new"}},
			node{name: "dev", kind: '2', link: outside}, node{name: "etc", kind: '2', link: up + outside},
			node{name: "work", kind: '2', link: outside}, node{name: "vol", kind: '2', link: "/proc/1/root" + outside})
		slots <- struct{}{}
		defer func() { <-slots }()
		// Whether it runs does not matter.
		_, _ = im.Observe(t.Context(), runSpec("/app", "who"), nil)
	})
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(outside, "*")); err != nil || len(left) > 0 {
			t.Errorf("written outside: %q, %v", left, err)
		}
	})
}

// BenchmarkRunc is what BenchmarkStart is held against.
func BenchmarkRunc(b *testing.B) {
	runc, err := exec.LookPath("runc")
	if err != nil || os.Geteuid() != 0 {
		b.Skip("needs runc and root")
	}
	program, err := testProgram()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs", "app"), program, 0o755); err != nil {
		b.Fatal(err)
	}
	spec := exec.Command(runc, "spec", "-b", dir)
	if text, err := spec.CombinedOutput(); err != nil {
		b.Skipf("runc spec: %v: %s", err, text)
	}
	config := filepath.Join(dir, "config.json")
	words, err := os.ReadFile(config)
	if err != nil {
		b.Fatal(err)
	}
	words = []byte(strings.NewReplacer(`"terminal": true`, `"terminal": false`, `"sh"`, `"/app", "serve", ":8000"`).Replace(string(words)))
	if err := os.WriteFile(config, words, 0o644); err != nil {
		b.Fatal(err)
	}
	var binds []time.Duration
	for b.Loop() {
		binds = append(binds, runcOnce(b, runc, dir))
	}
	b.ReportMetric(millis(binds), "ms-to-bind")
}

func runcOnce(b *testing.B, runc, dir string) time.Duration {
	const id = "imglint-bench"
	cmd := exec.Command(runc, "run", "-b", dir, id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		_ = cmd.Wait()
		b.Skipf("runc run: %s", complaints.String())
	}
	if text, err := exec.Command(runc, "kill", id, "KILL").CombinedOutput(); err != nil {
		b.Errorf("runc kill: %v: %s", err, text)
	}
	_ = cmd.Wait() // it was killed
	return boundAt(b, string(line[:n])).Sub(start)
}
