package engine

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// bound finds when the test program says that it had its socket.
var bound = regexp.MustCompile(`bound (\d+)`)

func boundAt(tb testing.TB, text string) time.Time {
	tb.Helper()
	match := bound.FindStringSubmatch(text)
	if match == nil {
		tb.Fatalf("the program did not say when it bound: %q", text)
	}
	ns, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return time.Unix(0, ns)
}

// BenchmarkBind compares, in turn, how long a program takes to its socket when
// it is observed in a cell that is ready, and when the docker command runs it;
// and how long it takes to tell that one crashed. Medians, since the machine is
// never quiet: go test ./pkg/run/engine -run '^$' -bench Bind -benchtime 12x
func BenchmarkBind(b *testing.B) {
	cache := b.TempDir()
	if err := os.Chmod(cache, 0o755); err != nil {
		b.Fatal(err)
	}
	e := connect(b, func(o *Options) { o.Cache = cache })
	ref := makeImage(b, e, nil)
	begun := time.Now()
	im := open(b, e, ref)
	if err := im.reader.wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	first := time.Since(begun)
	var cell, verdict, docker, crash []time.Duration
	for b.Loop() {
		bind, told := watched(b, im)
		cell, verdict = append(cell, bind), append(verdict, told)
		docker = append(docker, dockerRun(b, ref))
		crash = append(crash, crashed(b, im))
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
	b.ReportMetric(median([]time.Duration{first}), "ms/cell-start")
	b.ReportMetric(median(cell), "ms/cell-bind")
	b.ReportMetric(median(docker), "ms/docker-run-bind")
	b.ReportMetric(median(cell)/median(docker), "cell/docker")
	b.ReportMetric(median(verdict), "ms/verdict-after-bind")
	b.ReportMetric(median(crash), "ms/crash-verdict")
}

func median(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}

// watched returns when the program bound, and when that was told after.
func watched(b *testing.B, im *Image) (bind, told time.Duration) {
	b.Helper()
	if err := im.vacant(b.Context()); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	seen, err := im.Observe(b.Context(), waySpec([]string{"/app", "serve", ":8000"}), nil)
	if err != nil || seen.Stopped != facts.StopAnswered || seen.Way != facts.WayCell {
		b.Fatalf("stopped %q watched %q, %v", seen.Stopped, seen.Way, err)
	}
	at := boundAt(b, text(seen.Log))
	return at.Sub(start), time.Since(at)
}

// crashed returns how long it takes from asking for a run to the verdict.
func crashed(b *testing.B, im *Image) time.Duration {
	b.Helper()
	if err := im.vacant(b.Context()); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	seen, err := im.Observe(b.Context(), waySpec([]string{"/app", "exit", "3", "no such table"}), nil)
	if err != nil || seen.Exit == nil || seen.Exit.Code != 3 {
		b.Fatalf("exit %+v, %v", seen.Exit, err)
	}
	return time.Since(start)
}

// dockerRun runs the docker command until the program has bound.
func dockerRun(b *testing.B, ref string) time.Duration {
	b.Helper()
	name := "imglint-bench-" + strconv.Itoa(os.Getpid())
	cmd := exec.CommandContext(b.Context(), "docker", "run", "--rm", "--name", name, "--entrypoint", "/app", ref, "serve", ":8000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !bound.MatchString(lines.Text()) {
	}
	at := boundAt(b, lines.Text())
	if out, err := exec.Command("docker", "kill", name).CombinedOutput(); err != nil {
		b.Fatalf("docker kill: %v: %s", err, out)
	}
	_ = cmd.Wait() // it was killed
	return at.Sub(start)
}
