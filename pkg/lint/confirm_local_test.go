package lint

import (
	"context"
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run/engine"
	"github.com/imglint/imglint/pkg/run/local"
)

var archive = flag.String("archive", "", "with -confirm: a file with the fixtures' images, which this user runs without an engine")

var runner = flag.String("runner", "docker", "with -confirm: what runs the fixtures: docker, local for this machine without an engine, or (TestConfirmAsUser) user for that without root")

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
	under := confirming(t, "local")
	slots := make(chan struct{}, parallelRuns)
	for _, f := range fixtures(t) {
		if !slices.Contains(slice, f.name) {
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

// runners are the one that is tested and, when that is not the one that the
// facts were recorded with, that one for what it reads of images. Where there
// is no engine, an archive has the images.
type runners struct {
	tested, reference Source
	archive           string
}

func confirming(t *testing.T, runner string) runners {
	t.Helper()
	if *archive != "" {
		r, err := local.New(t.Context(), local.Options{CacheSize: 16 << 30})
		if err != nil {
			t.Fatal(err)
		}
		return runners{tested: RunHere(FromStorage(nil, Reading{}), r), archive: *archive}
	}
	e, err := engine.Connect(t.Context(), engine.Options{Host: *host, Static: runner == "local"})
	if err != nil {
		t.Skipf("needs an engine, to build the images: %v", err)
	}
	t.Cleanup(func() { closeEngine(t, e) })
	if runner != "local" {
		return runners{tested: FromEngine(e)}
	}
	r, err := local.New(t.Context(), local.Options{CacheSize: 16 << 30})
	if err != nil {
		t.Skip(err)
	}
	return runners{tested: FromEngineHere(e, r, nil), reference: FromEngine(e)}
}

// agree compares runs with the recorded ones, and what is read of the image
// with what another source reads now.
func (f fixture) agree(t *testing.T, reference Source, ref string, o Options, seen *facts.Facts) {
	t.Helper()
	img, err := reference.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := img.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close image: %v", err)
		}
	}()
	c := &check{Options: o, image: img, watch: quiet{}}
	other := c.collect()
	c.facts, other.Run = other, seen.Run
	c.guess()
	if g := other.Prediction.Gunicorn; g != nil && seen.Boot != nil {
		other.Boot = seen.Boot // what was measured decides too
		g.FixTimeout = enough(g.FixTimeout, other)
	}
	same(t, "launch", other.Launch, seen.Launch)
	same(t, "prediction", other.Prediction, seen.Prediction)
	same(t, "history", other.Image.History, seen.Image.History)
	if limitless(seen) {
		t.Skip("this user may not limit memory, and the fixture is about that")
	}
	sameRuns(t, f.recorded(t), seen)
}

// limitless tells of a run whose memory could not be limited.
func limitless(seen *facts.Facts) bool {
	return slices.ContainsFunc(seen.NotChecked, func(n finding.NotChecked) bool {
		return strings.Contains(n.Why, "the memory limit is not set")
	})
}

// inconclusive is why a run without an engine told nothing, which is no
// difference: then nothing may be claimed of it.
func inconclusive(r report.Result) string {
	if Doubtful(r) {
		return r.Facts.Run.Doubt
	}
	for _, n := range r.Facts.NotChecked {
		if strings.HasPrefix(n.Why, "inconclusive: ") && r.Facts.Run == nil && r.Verdict != finding.Pass {
			return n.Why
		}
	}
	return ""
}
