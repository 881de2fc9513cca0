package lint

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
)

// parallelRuns is how many fixtures are built and run at once.
const parallelRuns = 3

var runner = flag.String("runner", "docker", "with -confirm: what runs the fixtures: docker, or local for this machine without an engine")

// TestConfirm builds every fixture, runs it for real and compares what
// imglint says with want and what it saw with the recorded facts. Both runners
// have to see the same.
func TestConfirm(t *testing.T) {
	if !*confirm && os.Getenv("IMGLINT_CONFIRM") == "" {
		t.Skip("builds and runs every fixture: make confirm, or go test ./pkg/lint -run TestConfirm -confirm")
	}
	if *update && *runner != "docker" {
		t.Fatal("facts are recorded with the engine")
	}
	source := confirmSource(t, *runner)
	slots := make(chan struct{}, parallelRuns)
	for _, f := range fixtures(t) {
		if !strings.Contains(f.name, *only) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			f.confirm(t, source, *runner)
		})
	}
}

// slice is what the local runner is held to in every run of the tests: each
// way a run can go, in images that are quick.
var slice = []string{
	"broken-healthcheck/bad", "command-not-found/bad", "daemonizes/bad", "exits-at-once/bad", "loopback-bind/bad", "out-of-memory/bad",
	"platform-kubernetes/read-only", "passes/busybox-httpd", "stop-signal-ignored/bad", "privileged-port/bad",
}

// TestConfirmLocal holds the local runner to what was recorded with an engine.
func TestConfirmLocal(t *testing.T) {
	if testing.Short() {
		t.Skip("runs images")
	}
	source := confirmSource(t, "local")
	slots := make(chan struct{}, parallelRuns)
	for _, f := range fixtures(t) {
		if !slices.Contains(slice, f.name) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			f.confirm(t, source, "local")
		})
	}
}

// confirmSource opens the images that the engine builds, for a runner.
func confirmSource(t *testing.T, runner string) Source {
	e, err := engine.Connect(t.Context(), engine.Options{Static: runner == "local"})
	if err != nil {
		t.Skipf("needs an engine, to build the images: %v", err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	if runner != "local" {
		return FromEngine(e)
	}
	r, err := local.New(t.Context(), local.Options{CacheSize: 16 << 30})
	if err != nil {
		t.Skip(err)
	}
	return FromEngineHere(e, r, nil)
}

func closeEngine(t *testing.T, e *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("close engine: %v", err)
	}
}

func (f fixture) confirm(t *testing.T, source Source, runner string) {
	ref := f.build(t)
	o := f.options(t)
	img, err := source.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := img.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close image: %v", err)
		}
	}()
	began := time.Now()
	services, err := servicesOf(img, o)
	if err != nil || len(services) != 1 {
		t.Fatalf("services %v, %v: a fixture is about one", services, err)
	}
	o.service = services[0]
	c := &check{Options: o, image: img, watch: quiet{}}
	c.facts = c.collect()
	r := sole(conclude(t.Context(), ref, append([]*check{c}, c.others()...), began))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if why := inconclusive(r); why != "" {
		t.Skip(why)
	}
	seen := *c.facts
	seen.Took = facts.ToMillis(time.Since(began))
	seen.Image.Ref = strings.TrimPrefix(ref, "imglint-fixtures/case:")
	if *update {
		f.record(t, &seen)
	} else {
		f.match(t, &seen, runner)
	}
	f.compare(t, "want", summary(r.Verdict, r.Findings))
	if t.Failed() {
		t.Logf("imglint says:\n%s", text(t, r))
	}
}

// inconclusive is why a run without an engine told nothing, which is no
// difference: then nothing may be claimed of it.
func inconclusive(r report.Result) string {
	for _, n := range r.Facts.NotChecked {
		if strings.HasPrefix(n.Why, "inconclusive: ") && r.Facts.Run == nil && r.Verdict != finding.Pass {
			return n.Why
		}
	}
	return ""
}

// build makes the fixture's image, or finds it made before from the same text.
func (f fixture) build(t *testing.T) string {
	t.Helper()
	ref := "imglint-fixtures/case:" + strings.ReplaceAll(f.name, "/", ".")
	dir := t.TempDir()
	for _, file := range f.archive.Files {
		if slices.Contains([]string{"args", "want", "want-static", "facts.json", "output"}, file.Name) {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		// The time is fixed so that the builder's cache works by content.
		if err := os.WriteFile(name, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "docker", "build", "--quiet", "--label", "dev.imglint.fixture=case", "--tag", ref, dir)
	build.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", f.name, err, out)
	}
	return ref
}

func (f fixture) record(t *testing.T, seen *facts.Facts) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(seen); err != nil {
		t.Fatal(err)
	}
	f.set("facts.json", b.String())
	f.write(t)
}

func (f fixture) write(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(f.path, txtar.Format(f.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// match compares what was seen with what was recorded, without what differs
// from run to run: times, process ids, inodes, digests.
func (f fixture) match(t *testing.T, seen *facts.Facts, runner string) {
	t.Helper()
	recorded, ok := f.section("facts.json")
	if !ok {
		t.Fatal("has no recorded facts: add -update")
	}
	before := decodeFacts(t, recorded)
	parts := []struct {
		name      string
		was, seen any
	}{
		{"launch", before.Launch, seen.Launch},
		{"prediction", before.Prediction, seen.Prediction},
		{"target", before.Target, seen.Target},
		{"run", sketch(before.Run), sketch(seen.Run)},
		{"wrapped run", sketch(before.Wrapped), sketch(seen.Wrapped)},
		{"proof", before.Proof != nil && before.Proof.Passed, seen.Proof != nil && seen.Proof.Passed},
	}
	for _, p := range parts {
		if p.name == "target" && runner == "local" {
			continue // it does not depend on the runner
		}
		was, now := asJSON(t, p.was), asJSON(t, p.seen)
		if diff := gocmp.Diff(was, now); diff != "" {
			t.Errorf("%s is not what was recorded (-recorded +seen):\n%s", p.name, diff)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// firstEphemeral is the first port of those that the kernel chooses.
const firstEphemeral = 32768

// sketch is what a run comes to: how it ended, what listened, what answered.
// Whether ::1 is there depends on the engine (Docker gives it since 26).
// What a container did in the instant before it ended is a race, and is left out.
func sketch(r *facts.Run) []string {
	if r == nil {
		return nil
	}
	last := map[string]string{}
	for _, l := range r.Listeners() {
		if l.Port >= firstEphemeral {
			continue
		}
		text := fmt.Sprintf("listened %s %s v6only=%t open=%t", l.Network, steady(l), l.V6Only, l.Closed == 0)
		last[text] = text
	}
	for _, e := range r.Events {
		if e.Kind == facts.EventAnswer && e.Answer.To != netip.IPv6Loopback() && e.Answer.Port < firstEphemeral {
			key := fmt.Sprintf("asked %s:%d", e.Answer.To, e.Answer.Port)
			last[key] = fmt.Sprintf("%s: %s %d %s", key, e.Answer.Class, e.Answer.Status, e.Answer.Protocol)
		}
	}
	if r.Exit != nil && len(r.Survivors) == 0 {
		clear(last)
	}
	for _, e := range r.Events {
		switch e.Kind {
		case facts.EventExecError:
			last["exec"] = "exec error " + e.Errno
		case facts.EventOOM:
			return []string{"a process was killed for memory"} // which one is the kernel's choice
		}
	}
	if len(r.Survivors) > 0 {
		last["survivors"] = "something lived on"
	}
	if r.Exit != nil {
		last["exit"] = fmt.Sprintf("exit %d %s oom=%t %s", r.Exit.Code, r.Exit.Signal, r.Exit.OOM, r.Exit.Refused)
	}
	last["stop"] = "stopped " + string(r.Stopped)
	return slices.Sorted(maps.Values(last))
}

// steady is a listener's address without the numbers that programs put into
// the names of their unix sockets.
func steady(l facts.Listener) string {
	if l.Network != "unix" {
		return l.Address()
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, l.Path)
}

// quiet is the watcher of tests.
type quiet struct{}

func (quiet) Doing(string)      {}
func (quiet) Event(facts.Event) {}
func (quiet) Log(facts.LogLine) {}
