package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
	"github.com/imglint/imglint/rules"
)

// BenchmarkRunners measures what people wait for, every way in turn so that a
// machine that slows down slows all of them, and prints it as tables: make
// bench-runners.
func BenchmarkRunners(b *testing.B) {
	m := newMeasured(b)
	m.b.ResetTimer()
	for b.Loop() {
		m.starts()
		m.verdicts()
	}
	m.batches()
	m.observer()
	fmt.Print("\n", m.tables())
}

// measured holds what is compared, and the samples.
type measured struct {
	b      *testing.B
	cell   *engine.Engine
	alone  *engine.Engine // its images run on the engine's own network
	reader *engine.Engine // it runs nothing
	local  *local.Runner
	bundle string // of runc; "": it cannot be used
	names  int

	start, verdict, batch *table
	notes                 []string
}

// The images: a static Go server and the same program crashing, and fixtures.
const (
	benchServer = "imglint-fixtures/bench:go"
	benchCrash  = "imglint-fixtures/bench:crash"
)

func newMeasured(b *testing.B) *measured {
	b.Helper()
	m := &measured{
		b:       b,
		start:   newTable("from the start to the bind of a static Go server", "docker run", "runc run"),
		verdict: newTable("from the call to the verdict, images known to the engine, no fix tried", ""),
		batch:   newTable("8 images in one call", ""),
	}
	var err error
	if m.cell, err = engine.Connect(b.Context(), engine.Options{Cells: 2}); err != nil {
		b.Skipf("needs an engine: %v", err)
	}
	b.Cleanup(func() { m.closeEngine(m.cell) })
	if m.alone, err = engine.Connect(b.Context(), engine.Options{Host: withoutNetworks(b, m.cell.Host())}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.closeEngine(m.alone) })
	if m.reader, err = engine.Connect(b.Context(), engine.Options{Static: true}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.closeEngine(m.reader) })
	if m.local, err = local.New(b.Context(), local.Options{}); err != nil {
		b.Skip(err)
	}
	m.build()
	return m
}

func (m *measured) closeEngine(e *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		m.b.Error(err)
	}
}

// build makes the images and, for runc, a bundle of the same files.
func (m *measured) build() {
	dir := m.b.TempDir()
	m.command(exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "app"), "../run/engine/testdata/app"))
	for ref, words := range map[string]string{benchServer: `"serve", ":8000"`, benchCrash: `"exit", "3", "no such table"`} {
		text := "FROM scratch\nCOPY app /app\nEXPOSE 8000\nCMD [\"/app\", " + words + "]\n"
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
			m.b.Fatal(err)
		}
		build := exec.Command("docker", "build", "--quiet", "--label", "dev.imglint.fixture=bench", "--tag", ref, dir)
		build.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
		m.command(build)
	}
	if _, err := exec.LookPath("runc"); err != nil || os.Geteuid() != 0 {
		return
	}
	root := filepath.Join(dir, "rootfs")
	if err := errors.Join(os.Mkdir(root, 0o755), os.Rename(filepath.Join(dir, "app"), filepath.Join(root, "app"))); err != nil {
		m.b.Fatal(err)
	}
	m.command(exec.Command("runc", "spec", "-b", dir))
	config := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(config)
	if err != nil {
		m.b.Fatal(err)
	}
	text = []byte(strings.NewReplacer(`"terminal": true`, `"terminal": false`, `"sh"`, `"/app", "serve", ":8000"`).Replace(string(text)))
	if err := os.WriteFile(config, text, 0o600); err != nil {
		m.b.Fatal(err)
	}
	m.bundle = dir
}

func (m *measured) command(cmd *exec.Cmd) {
	m.b.Helper()
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		m.b.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, text)
	}
}

// starts takes one sample of each way to start the server.
func (m *measured) starts() {
	m.names++
	name := fmt.Sprintf("imglint-bench-%d-%d", os.Getpid(), m.names)
	m.start.add("docker run", m.started(exec.Command("docker", "run", "--rm", "--name", name, benchServer), exec.Command("docker", "rm", "-f", name)))
	m.start.add("engine, in a cell", m.observed(FromEngine(m.cell), facts.WayCell))
	m.start.add("engine, alone", m.observed(FromEngine(m.alone), facts.WayAlone))
	if m.bundle != "" {
		m.start.add("runc run", m.started(exec.Command("runc", "run", "-b", m.bundle, name), exec.Command("runc", "kill", name, "KILL")))
	}
	m.start.add("local", m.observed(FromEngineHere(m.reader, m.local, nil), facts.WayLocal))
}

// started is how long a command took to the bind that its output tells.
func (m *measured) started(cmd, end *exec.Cmd) time.Duration {
	m.b.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.b.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		m.b.Fatal(err)
	}
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		m.b.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	m.command(end)
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait() // it was killed
	return m.boundAt(string(line[:n])).Sub(began)
}

var boundLine = regexp.MustCompile(`bound (\d+)`)

func (m *measured) boundAt(text string) time.Time {
	m.b.Helper()
	match := boundLine.FindStringSubmatch(text)
	if match == nil {
		m.b.Fatalf("the server did not say when it bound: %q", text)
	}
	n, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil {
		m.b.Fatal(err)
	}
	return time.Unix(0, n)
}

// observed is how long a runner took to the bind, with its image open and, in
// an engine, the cell started: that goes on while the image is read.
func (m *measured) observed(s Source, way facts.Way) time.Duration {
	m.b.Helper()
	img, err := s.Open(m.b.Context(), benchServer)
	if err != nil {
		m.b.Fatal(err)
	}
	defer m.close(img)
	_, _ = fs.Stat(img.Files(), "app") // it waits for the cell, if there can be one
	began := time.Now()
	seen, err := img.(run.Observer).Observe(m.b.Context(), benchSpec(m.b), nil)
	if err != nil || seen.Stopped != facts.StopAnswered || seen.Way != way {
		m.b.Fatalf("%T, way %q: stopped %q with %+v, %v, events %d", img, seen.Way, seen.Stopped, seen.Exit, err, len(seen.Events))
	}
	var log bytes.Buffer
	for _, l := range seen.Log.Lines {
		fmt.Fprintln(&log, l.Text)
	}
	return m.boundAt(log.String()).Sub(began)
}

func (m *measured) close(img Image) {
	if err := img.Close(context.WithoutCancel(m.b.Context())); err != nil {
		m.b.Error(err)
	}
}

func benchSpec(b *testing.B) run.Spec {
	o := benchOptions(b)
	target := o.Platform.Target(facts.Image{Config: facts.Config{Exposed: []facts.Port{{Number: 8000, Protocol: "tcp"}}}}, o.Overrides)
	return run.Spec{Argv: []string{"/app", "serve", ":8000"}, Target: target, Settle: run.MinSettle, Brief: true}
}

func benchOptions(b *testing.B) Options {
	b.Helper()
	p, err := platform.Load("aptible")
	if err != nil {
		b.Fatal(err)
	}
	return Options{Platform: p, Limits: run.DefaultLimits, Rules: rules.All, Signs: rules.Signs{}}
}

// verdicts takes one sample of each kind of image with each runner.
func (m *measured) verdicts() {
	for _, v := range []struct{ name, ref string }{
		{"static Go server, answers", benchServer}, {"crash", benchCrash},
		{"nginx in the foreground, answers", fixtureRef("daemonizes/good")}, {"nginx that daemonizes, proved", fixtureRef("daemonizes/bad")},
		{"gunicorn on loopback", fixtureRef("loopback-bind/bad")},
	} {
		if exec.Command("docker", "image", "inspect", v.ref).Run() != nil {
			continue // make confirm builds the fixtures
		}
		for _, runner := range []string{"engine", "local"} {
			s := FromEngine(m.cell)
			if runner == "local" {
				s = FromEngineHere(m.reader, m.local, nil)
			}
			l := &Linter{Sources: []Source{s}, Options: benchOptions(m.b)}
			began := time.Now()
			if r := l.Lint(m.b.Context(), v.ref, quiet{}); r.Err != nil || r.Facts.Run == nil {
				m.b.Fatalf("%s: %v, %+v", v.ref, r.Err, r.Facts)
			}
			m.verdict.add(v.name+", "+runner, time.Since(began))
			if err := l.Close(); err != nil {
				m.b.Error(err)
			}
		}
	}
}

func fixtureRef(name string) string {
	return "imglint-fixtures/case:" + strings.ReplaceAll(name, "/", ".")
}

// batchTimes is how often eight images are checked in one call.
const batchTimes = 8

// batches checks eight images in one call, with as many jobs as cells.
func (m *measured) batches() {
	refs := []string{benchServer, benchCrash, benchServer, benchCrash, benchServer, benchCrash, benchServer, benchCrash}
	for range batchTimes {
		for _, jobs := range []int{1, 2} {
			began := time.Now()
			e, err := engine.Connect(m.b.Context(), engine.Options{Cells: jobs, Images: len(refs)})
			if err != nil {
				m.b.Fatal(err)
			}
			m.all(FromEngine(e), refs, jobs)
			m.batch.add(fmt.Sprintf("engine, cells: %d", jobs), time.Since(began))
			m.closeEngine(e)
			began = time.Now()
			m.all(FromEngineHere(m.reader, m.local, nil), refs, jobs)
			m.batch.add(fmt.Sprintf("local, jobs: %d", jobs), time.Since(began))
		}
	}
}

func (m *measured) all(s Source, refs []string, jobs int) {
	l := &Linter{Sources: []Source{s}, Options: benchOptions(m.b)}
	work := make(chan string)
	var workers sync.WaitGroup
	for range jobs {
		workers.Go(func() {
			for ref := range work {
				if r := l.Lint(m.b.Context(), ref, quiet{}); r.Err != nil {
					m.b.Error(r.Err)
				}
			}
		})
	}
	for _, ref := range refs {
		work <- ref
	}
	close(work)
	workers.Wait()
	if err := l.Close(); err != nil {
		m.b.Error(err)
	}
}
