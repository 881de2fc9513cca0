package lint

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/engine"
)

// BenchmarkSources measures what reading two images takes, which differ in
// nothing but a file of 1 GB: their config alone, and for every static rule,
// from every source in turn. It prints tables: make bench-sources.
func BenchmarkSources(b *testing.B) {
	reader, err := engine.Connect(b.Context(), engine.Options{Static: true})
	if err != nil {
		b.Skipf("needs an engine: %v", err)
	}
	b.Cleanup(func() {
		if err := reader.Close(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	images := storeImages(b)
	var tables []readings
	b.ResetTimer()
	for b.Loop() {
		for i, stored := range images {
			if len(tables) <= i {
				tables = append(tables, readings{title: stored.ref})
			}
			for _, way := range stored.ways(FromEngine(reader)) {
				tables[i].add(way.name+", config", way.config(b))
				tables[i].add(way.name+", static lint", way.lint(b))
			}
		}
	}
	for _, t := range tables {
		fmt.Print("\n", t.String())
	}
}

// way is one source of an image.
type way struct {
	name, ref string
	source    Source
	piped     string // the file on standard input; "": none
}

func (s storedBench) ways(engine Source) []way {
	files := FromStorage(nil, Reading{})
	return []way{
		{name: "engine", ref: s.ref, source: engine},
		{name: "registry", ref: s.pushed, source: FromRegistry(Reading{})},
		{name: "registry, read before", ref: s.pushed, source: FromRegistry(Reading{Indexes: s.indexes})},
		{name: "OCI layout", ref: s.layout, source: files},
		{name: "docker save", ref: s.archive, source: files},
		{name: "docker save, gzip", ref: s.packed, source: files},
		{name: "docker save, piped", ref: Stdin, piped: s.archive},
	}
}

// open is the source, with what is piped into it.
func (w way) open(b *testing.B) (s Source, end func()) {
	b.Helper()
	if w.piped == "" {
		return w.source, func() {}
	}
	cat := exec.Command("cat", w.piped)
	pipe, err := cat.StdoutPipe()
	if err == nil {
		err = cat.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	return FromStorage(pipe, Reading{}), func() {
		_, _ = io.Copy(io.Discard, pipe) // what follows the archive
		_ = cat.Wait()
	}
}

// reading is what one read took.
type reading struct {
	facts.Cost
	cpu, wall time.Duration
}

// config opens the image and asks for no file.
func (w way) config(b *testing.B) reading {
	b.Helper()
	return w.measured(b, func(s Source) *facts.Cost {
		img, err := s.Open(b.Context(), w.ref)
		if err != nil {
			b.Fatalf("%s: %v", w.name, err)
		}
		if len(img.Facts().Config.Cmd) == 0 {
			b.Fatalf("%s: the config has no command", w.name)
		}
		if err := img.Close(b.Context()); err != nil {
			b.Error(err)
		}
		cost := img.(interface{ Cost() facts.Cost }).Cost()
		return &cost
	})
}

// lint judges the image by every rule, without a run.
func (w way) lint(b *testing.B) reading {
	b.Helper()
	return w.measured(b, func(s Source) *facts.Cost {
		o := benchOptions(b)
		o.Static = true
		l := &Linter{Sources: []Source{s}, Options: o}
		r := l.Lint(b.Context(), w.ref, quiet{})
		if err := l.Close(); err != nil || r.Err != nil || r.Cost == nil {
			b.Fatalf("%s: %v, %v, cost %v", w.name, r.Err, err, r.Cost)
		}
		return r.Cost
	})
}

func (w way) measured(b *testing.B, do func(Source) *facts.Cost) reading {
	b.Helper()
	s, end := w.open(b)
	defer end()
	began, before := time.Now(), spent()
	cost := do(s)
	return reading{*cost, spent() - before, time.Since(began)}
}

// readings holds samples by row, in the order of their first one.
type readings struct {
	title string
	names []string
	rows  map[string][]reading
}

func (t *readings) add(name string, r reading) {
	if t.rows == nil {
		t.rows = map[string][]reading{}
	}
	if t.rows[name] == nil {
		t.names = append(t.names, name)
	}
	t.rows[name] = append(t.rows[name], r)
}

func (t *readings) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-34s %8s %9s %8s %8s %4s\n", t.title, "requests", "MB read", "CPU ms", "wall ms", "n")
	for _, name := range t.names {
		all := t.rows[name]
		last := all[len(all)-1] // requests and bytes are the same every time
		fmt.Fprintf(&text, "%-34s %8d %9.3f %8.0f %8.0f %4d\n", name, last.Requests, float64(last.Bytes)/1e6,
			middle(all, func(r reading) time.Duration { return r.cpu }), middle(all, func(r reading) time.Duration { return r.wall }), len(all))
	}
	return text.String()
}

// middle is the median in milliseconds.
func middle(all []reading, of func(reading) time.Duration) float64 {
	var each []time.Duration
	for _, r := range all {
		each = append(each, of(r))
	}
	slices.Sort(each)
	return ms(each[len(each)/2])
}

// storedBench is an image in every place that it is read from.
type storedBench struct {
	ref     string // in the engine
	pushed  string // in a registry
	indexes string // what is kept of that
	layout  string // a directory
	archive string // of docker save
	packed  string // the archive, compressed with gzip
}

// storeImages stores the images that go test ./pkg/cli -bench Static builds.
func storeImages(b *testing.B) (all []storedBench) {
	b.Helper()
	registry := benchRegistry(b)
	for _, size := range []string{"small", "big"} {
		ref := "imglint-fixtures/bench:" + size
		if exec.Command("docker", "image", "inspect", ref).Run() != nil {
			b.Skipf("needs %s: go test ./pkg/cli -run '^$' -bench Static -benchtime 1x", ref)
		}
		dir := b.TempDir()
		s := storedBench{ref: ref, pushed: registry + "/bench:" + size, indexes: dir + "/index", layout: dir + "/layout", archive: dir + "/image.tar", packed: dir + "/image.tar.gz"}
		benchCommand(b, "docker", "tag", ref, s.pushed)
		b.Cleanup(func() { _ = exec.Command("docker", "rmi", s.pushed).Run() }) // only the name
		benchCommand(b, "docker", "push", "--quiet", s.pushed)
		benchCommand(b, "docker", "save", "-o", s.archive, ref)
		benchCommand(b, "sh", "-c", `exec gzip -1 <"$0" >"$1"`, s.archive, s.packed)
		benchLayout(b, registry, size, s.layout)
		way{name: "registry, the first time", ref: s.pushed, source: FromRegistry(Reading{Indexes: s.indexes})}.lint(b)
		all = append(all, s)
	}
	return all
}

func benchCommand(b *testing.B, words ...string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	if text, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, text)
	}
}

func writeBench(b *testing.B, name, text string) {
	b.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}
