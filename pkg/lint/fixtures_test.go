package lint

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/manifest"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/rules"
)

// The tests of this package read fixtures/RULE/CASE.txtar: prose, a Dockerfile
// with its files, the hand-written want and want-static, and what the confirm
// test recorded: facts.json and output.
var (
	confirm = flag.Bool("confirm", false, "build every fixture, run it and compare it with what was recorded")
	update  = flag.Bool("update", false, "with -confirm: record what was seen; without: rewrite the output sections")
	host    = flag.String("host", "", "with -confirm: another engine that runs the fixtures and takes the images over, as unix:///run/podman/podman.sock")
	only    = flag.String("only", "", "with -confirm: only the fixtures whose name contains this")
)

// fixture is one case.
type fixture struct {
	name    string // RULE/CASE
	path    string
	archive *txtar.Archive
}

func fixtures(t testing.TB) []fixture {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "fixtures", "*", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures found (%v)", err)
	}
	var all []fixture
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".txtar")
		all = append(all, fixture{name, path, archive})
	}
	return all
}

// section returns a file of the archive, and whether it is there.
func (f fixture) section(name string) (string, bool) {
	for _, file := range f.archive.Files {
		if file.Name == name {
			return string(file.Data), true
		}
	}
	return "", false
}

// set replaces or adds a file of the archive.
func (f fixture) set(name, text string) {
	for i, file := range f.archive.Files {
		if file.Name == name {
			f.archive.Files[i].Data = []byte(text)
			return
		}
	}
	f.archive.Files = append(f.archive.Files, txtar.File{Name: name, Data: []byte(text)})
}

// options reads the fixture's args, the few that fixtures use.
func (f fixture) options(t *testing.T) Options {
	t.Helper()
	o := Options{Rules: rules.All, Signs: rules.Signs{}, Limits: run.DefaultLimits, Prove: true}
	args, _ := f.section("args")
	set := flag.NewFlagSet(f.name, flag.ContinueOnError)
	name := set.String("platform", "aptible", "")
	set.IntVar(&o.Overrides.Port, "port", 0, "")
	set.StringVar(&o.Overrides.Path, "path", "", "")
	set.StringVar(&o.Service, "service", "", "")
	deploy := set.String("manifest", "", "")
	set.BoolVar(&o.Overrides.Strict, "strict", false, "")
	set.DurationVar(&o.Overrides.BootWindow, "boot-window", 0, "")
	memory := set.String("memory", "", "")
	set.Func("e", "", func(kv string) error { o.Env = append(o.Env, kv); return nil })
	if err := set.Parse(strings.Fields(args)); err != nil {
		t.Fatal(err)
	}
	if *memory != "" {
		if _, err := fmt.Sscanf(*memory, "%dm", &o.Limits.Memory); err != nil {
			t.Fatalf("memory %q: %v", *memory, err)
		}
		o.Limits.Memory <<= 20
	}
	p, err := platform.Load(*name)
	if err != nil {
		t.Fatal(err)
	}
	o.Platform = p
	if *deploy != "" {
		o = f.deployed(t, o, *deploy)
	}
	text, _ := f.section("Dockerfile")
	o.Dockerfile = Dockerfile{Name: "Dockerfile", Text: []byte(text), Context: f.context()}
	if procfile, ok := f.section("Procfile"); ok && p.Procfile != nil && o.Workload == nil {
		files := fstest.MapFS{strings.TrimPrefix(p.Procfile.Value, "/"): {Data: []byte(procfile)}}
		if services, err := p.Services(files); err == nil && len(services) == 1 {
			o.service = services[0]
		}
	}
	return o
}

// truths are the parts of a fixture that are not files of its build context.
var truths = []string{"args", "want", "want-static", "facts.json", "output"}

// context is the fixture's build context.
func (f fixture) context() fs.FS {
	files := fstest.MapFS{}
	for _, file := range f.archive.Files {
		if !slices.Contains(truths, file.Name) {
			files[file.Name] = &fstest.MapFile{Data: file.Data, Mode: 0o644}
		}
	}
	return files
}

// deployed reads the fixture's manifest, of one container and one probe.
func (f fixture) deployed(t *testing.T, o Options, name string) Options {
	t.Helper()
	text, _ := f.section(name)
	workloads, err := manifest.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o.Workload = &workloads[0]
	if o.Platform, err = platform.Load(o.Workload.Platform); err != nil {
		t.Fatal(err)
	}
	return o.deployed(asked(o.Workload)[0])
}

// summary is what want and want-static hold.
func summary(v finding.Verdict, findings []finding.Finding) string {
	lines := []string{"verdict " + string(v)}
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b finding.Finding) int { return int(b.Severity - a.Severity) })
	for _, f := range sorted {
		lines = append(lines, fmt.Sprintf("%s %s", f.Severity, f.Rule))
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestFixtures runs every rule over the recorded facts of every fixture.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			recorded, ok := f.section("facts.json")
			if !ok {
				t.Fatal("has no recorded facts: go test ./pkg/lint -run TestConfirm -confirm -update")
			}
			full, static := decodeFacts(t, recorded), decodeFacts(t, recorded)
			static.Run, static.Wrapped, static.Proof = nil, nil, nil
			result := judged(f.options(t), full, false)
			f.compare(t, "want", summary(result.Verdict, result.Findings))
			f.compare(t, "want-static", summaryOf(judged(f.options(t), static, true)))
			f.golden(t, "output", text(t, result))
		})
	}
}

func summaryOf(r report.Result) string { return summary(r.Verdict, r.Findings) }

func decodeFacts(t *testing.T, text string) *facts.Facts {
	t.Helper()
	f := &facts.Facts{}
	if err := json.Unmarshal([]byte(text), f); err != nil {
		t.Fatal(err)
	}
	return f
}

// judged does what comes after collecting.
func judged(o Options, f *facts.Facts, static bool) report.Result {
	o.Static = static
	first := &check{Options: o, facts: f}
	var results []report.Result
	for _, c := range append([]*check{first}, first.others()...) {
		c.judge()
		c.mark()
		c.place()
		results = append(results, c.result(f.Image.Ref))
	}
	r := results[0]
	for _, further := range results[1:] {
		r = first.besides(r, further)
	}
	r.Took = f.Took.Duration()
	return r
}

func text(t *testing.T, r report.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, r, report.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// compare checks a hand-written section.
func (f fixture) compare(t *testing.T, name, got string) {
	t.Helper()
	want, _ := f.section(name)
	if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// golden checks a recorded section, or rewrites it.
func (f fixture) golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		f.set(name, got)
		f.write(t)
		return
	}
	want, _ := f.section(name)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs, go test ./pkg/lint -update rewrites it (-recorded +now):\n%s", name, diff)
	}
}
