package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The benchmarks start imglint as a process, as people do, with the binary
// that a release would hold: go test ./pkg/cli -run '^$' -bench .

// binary builds imglint as a release does and reports its size.
func binary(b *testing.B) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "imglint")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", name, "../../cmd/imglint")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build imglint: %v\n%s", err, out)
	}
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	return name
}

// whole runs a process to its end and returns its CPU time.
func whole(b *testing.B, name string, args ...string) time.Duration {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = b.TempDir()
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != ExitClean && code != ExitFindings {
		b.Fatalf("%s %v: %v", name, args, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// BenchmarkVersion is the start-up of the binary.
func BenchmarkVersion(b *testing.B) {
	name := binary(b)
	var cpu time.Duration
	b.ResetTimer()
	for range b.N {
		cpu += whole(b, name, "version")
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// BenchmarkStatic reads two images that differ in nothing but a file of 1 GB,
// in turn, so that a machine that slows down slows both.
func BenchmarkStatic(b *testing.B) {
	name := binary(b)
	small := benchImage(b, "small", "RUN true")
	big := benchImage(b, "big", "RUN head -c 1000000000 /dev/urandom >/big")
	var cpu, wall [2]time.Duration
	b.ResetTimer()
	for range b.N {
		for i, ref := range []string{small, big} {
			began := time.Now()
			cpu[i] += whole(b, name, "--static", ref)
			wall[i] += time.Since(began)
		}
	}
	n := float64(b.N)
	b.ReportMetric(wall[0].Seconds()*1000/n, "small-ms/op")
	b.ReportMetric(wall[1].Seconds()*1000/n, "big-ms/op")
	b.ReportMetric(cpu[0].Seconds()*1000/n, "small-cpu-ms/op")
	b.ReportMetric(cpu[1].Seconds()*1000/n, "big-cpu-ms/op")
	b.ReportMetric(wall[1].Seconds()/wall[0].Seconds(), "big/small")
}

// BenchmarkDynamic is a whole run of a good image beside docker run of the
// same image until it answers.
func BenchmarkDynamic(b *testing.B) {
	name := binary(b)
	ref := benchImage(b, "small", "RUN true")
	var wall time.Duration
	b.ResetTimer()
	for range b.N {
		began := time.Now()
		whole(b, name, ref)
		wall += time.Since(began)
	}
	b.ReportMetric(wall.Seconds()*1000/float64(b.N), "wall-ms/op")
}

func benchImage(b *testing.B, name, step string) string {
	b.Helper()
	const from = "imglint-fixtures/python"
	if err := exec.Command("docker", "image", "inspect", from).Run(); err != nil {
		b.Skipf("needs %s: run fixtures/engine up && fixtures/bases/build python", from)
	}
	dir := b.TempDir()
	text := "FROM " + from + "\n" + step + "\nWORKDIR /srv\nRUN echo 'def app(e, r): r(\"200 OK\", []); return [b\"\"]' >shop.py\n" +
		"EXPOSE 8000\nCMD [\"gunicorn\", \"--preload\", \"--bind\", \"0.0.0.0:8000\", \"shop:app\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ref := "imglint-fixtures/bench:" + name
	build := exec.Command("docker", "build", "--quiet", "--label", "dev.imglint.fixture=bench", "--tag", ref, dir)
	build.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", ref, err, out)
	}
	return ref
}
