package lint

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/imglint/imglint/pkg/run/engine"
)

// parallelRuns is how many fixtures are built and run at once.
const parallelRuns = 4

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
	under := confirming(t, *runner)
	slots := make(chan struct{}, parallelRuns)
	for _, f := range fixtures(t) {
		if !strings.Contains(f.name, *only) {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			f.confirm(t, under)
		})
	}
}

func closeEngine(t *testing.T, e *engine.Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("close engine: %v", err)
	}
}

func (f fixture) confirm(t *testing.T, under runners) {
	ref := f.image(t, under)
	if *host != "" {
		takeOver(t, ref)
	}
	o := f.options(t)
	img, err := under.tested.Open(t.Context(), ref)
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
	if !o.Platform.OrderKept(img.Facts()) {
		c.facts = &facts.Facts{Image: img.Facts()}
		c.located = c.location(t.Context())
	}
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
	switch {
	case under.archive != "":
		if limitless(&seen) {
			t.Skip("this user may not limit memory, and the fixture is about that")
		}
		f.match(t, &seen)
	case under.reference != nil:
		f.agree(t, under.reference, ref, o, &seen)
	case *update:
		f.record(t, &seen)
	default:
		f.match(t, &seen)
	}
	f.compare(t, "want", summary(r.Verdict, r.Findings))
	if t.Failed() {
		t.Logf("imglint says:\n%s", text(t, r))
	}
}

// image is where the fixture's image is.
func (f fixture) image(t *testing.T, under runners) string {
	if under.archive != "" {
		return under.archive + ":" + f.tag()
	}
	return f.build(t)
}

func (f fixture) tag() string {
	return "imglint-fixtures/case:" + strings.ReplaceAll(f.name, "/", ".")
}

// build makes the fixture's image, or finds it made before from the same text.
func (f fixture) build(t *testing.T) string {
	t.Helper()
	ref := f.tag()
	dir := t.TempDir()
	for _, file := range f.archive.Files {
		if slices.Contains(truths, file.Name) {
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

// takeOver gives an image to the engine of -host.
func takeOver(t *testing.T, ref string) {
	t.Helper()
	id := func(args ...string) string {
		out, _ := exec.Command("docker", append(args, "image", "inspect", "--format", "{{.Id}}", ref)...).Output() // none where it is not
		return strings.TrimPrefix(strings.TrimSpace(string(out)), "sha256:")
	}
	if id() == id("--host", *host) {
		return
	}
	const pipe = `set -o pipefail; docker save "$0" | docker --host "$1" load --quiet`
	if out, err := exec.Command("bash", "-c", pipe, ref, *host).CombinedOutput(); err != nil {
		t.Fatalf("load %s at %s: %v\n%s", ref, *host, err, out)
	}
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
	f.set("facts.json", strings.ReplaceAll(b.String(), "imglint-fixtures/case:", ""))
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
func (f fixture) match(t *testing.T, seen *facts.Facts) {
	t.Helper()
	before := f.recorded(t)
	same(t, "launch", before.Launch, seen.Launch)
	same(t, "prediction", before.Prediction, seen.Prediction)
	same(t, "target", before.Target, seen.Target)
	sameRuns(t, before, seen)
}

func (f fixture) recorded(t *testing.T) *facts.Facts {
	t.Helper()
	recorded, ok := f.section("facts.json")
	if !ok {
		t.Fatal("has no recorded facts: add -update")
	}
	return decodeFacts(t, recorded)
}

func sameRuns(t *testing.T, before, seen *facts.Facts) {
	t.Helper()
	same(t, "run", sketch(before.Run), sketch(seen.Run))
	same(t, "wrapped run", sketch(before.Wrapped), sketch(seen.Wrapped))
	if slices.ContainsFunc(seen.NotChecked, func(n finding.NotChecked) bool { return strings.HasPrefix(n.Why, "inconclusive: ") }) {
		return // no fix was proved
	}
	same(t, "proof", before.Proof != nil && before.Proof.Passed, seen.Proof != nil && seen.Proof.Passed)
}

func same(t *testing.T, name string, before, seen any) {
	t.Helper()
	if diff := gocmp.Diff(asJSON(t, before), asJSON(t, seen)); diff != "" {
		t.Errorf("%s is not the same (-expected +seen):\n%s", name, diff)
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
	// How many tries fit in a short window is chance, and whether what boots works
	// into its second second, from which on it is quiet.
	if r.Stopped == facts.StopProof || r.Stopped == facts.StopQuiet {
		last["stop"] = "stopped " + string(facts.StopWindow)
	}
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
