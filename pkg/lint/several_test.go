package lint

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/rules"
)

// toy is an image whose program listens on one port and answers 200 there.
type toy struct {
	image  facts.Image
	files  fs.FS
	listen func(env map[string]string) int
	starts [][]string // what the program was given as PORT, each with its platforms
	uid    int        // of the listener
}

func (i *toy) Facts() facts.Image          { return i.image }
func (i *toy) Files() fs.FS                { return i.files }
func (i *toy) Foreign() string             { return "" }
func (i *toy) Close(context.Context) error { return nil }

func (i *toy) Open(_ context.Context, ref string) (Image, error) {
	if ref != i.image.Ref {
		return nil, ErrNoImage
	}
	return i, nil
}

// Observe plays a run as the engine would record it.
func (i *toy) Observe(_ context.Context, spec run.Spec, _ run.Watcher) (facts.Run, error) {
	env := map[string]string{}
	for _, kv := range spec.Env {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	start := []string{"PORT=" + env["PORT"], spec.Target.Platform}
	for _, t := range spec.Also {
		start = append(start, t.Platform)
	}
	i.starts = append(i.starts, start)
	port := i.listen(env)
	record := run.NewRecord(spec, nil)
	record.Event(facts.Event{Kind: facts.EventExec, PID: 1, Argv: spec.Argv})
	record.Event(facts.Event{T: 50, Kind: facts.EventListening, Socket: &facts.Socket{
		Network: "tcp", Addr: netip.IPv4Unspecified(), Port: port, Inode: 1, PID: 1, UID: i.uid}})
	for n, r := range spec.Requests() {
		if n == 0 || r.Endpoint == port {
			record.Event(facts.Event{T: 60, Kind: facts.EventAnswer, Answer: &facts.Answer{
				To: netip.MustParseAddr("198.18.0.2"), Port: port, Class: facts.ClassHTTP, Status: 200, Request: n, Asked: 55, Took: 5}})
		}
	}
	now := facts.Millis(100)
	for {
		record.Event(facts.Event{T: now, Kind: facts.EventBeat})
		stop, next := record.Decide(now)
		if stop != "" {
			return record.Finish(stop, now, nil), nil
		}
		now = next
	}
}

func newToy(listen func(map[string]string) int) *toy {
	return &toy{listen: listen, files: fstest.MapFS{}, image: facts.Image{
		Ref: "toy", ID: "sha256:1", OS: "linux", Architecture: "amd64", Source: "engine",
		Config: facts.Config{Cmd: []string{"/serve"}, Exposed: []facts.Port{{Number: 3000, Protocol: "tcp"}}},
	}}
}

func lintToy(t *testing.T, i *toy, o Options, names ...string) []report.Result {
	t.Helper()
	var platforms []*platform.Platform
	for _, name := range names {
		p, err := platform.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		platforms = append(platforms, p)
	}
	o.Rules, o.Limits = rules.All, run.DefaultLimits
	l := &Linter{Sources: []Source{i}, Options: o}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.LintAll(t.Context(), "toy", platforms, quiet{})
}

func verdicts(results []report.Result) map[string]string {
	got := map[string]string{}
	for _, r := range results {
		name := strings.TrimSpace(r.Facts.Target.Platform + " " + r.Facts.Target.Service)
		got[name] = string(r.Verdict)
		for _, f := range r.Findings {
			if f.Severity == finding.Error {
				got[name] += " " + f.Rule
			}
		}
	}
	return got
}

// TestStartsAreShared counts the starts: one for each environment.
func TestStartsAreShared(t *testing.T) {
	t.Parallel()
	fixed := newToy(func(map[string]string) int { return 3000 })
	results := lintToy(t, fixed, Options{}, "kubernetes", "heroku", "ecs-alb", "kamal", "railway", "compose", "cloud-run")
	want := [][]string{{"PORT=", "kubernetes", "ecs-alb", "kamal", "compose"}, {"PORT=24731", "heroku", "railway"}, {"PORT=8080", "cloud-run"}}
	if diff := cmp.Diff(want, fixed.starts); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"kubernetes": "pass", "ecs-alb": "pass", "compose": "pass", "kamal": "fail unexposed-port",
		"heroku": "fail port-env-ignored", "railway": "fail port-env-ignored", "cloud-run": "fail port-env-ignored",
	}, verdicts(results)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

// TestEnvironmentGivenByTheUserHoldsEverywhere: then one start is enough.
func TestEnvironmentGivenByTheUserHoldsEverywhere(t *testing.T) {
	t.Parallel()
	i := newToy(func(map[string]string) int { return 3000 })
	o := Options{Env: []string{"PORT=3000"}, Overrides: platform.Overrides{Port: 3000}}
	results := lintToy(t, i, o, "kubernetes", "heroku", "cloud-run")
	if len(i.starts) != 1 {
		t.Errorf("starts %v, want one", i.starts)
	}
	for name, v := range verdicts(results) {
		if v != "pass" {
			t.Errorf("%s: %s", name, v)
		}
	}
}

func TestAllPlatformsNeedFewStarts(t *testing.T) {
	t.Parallel()
	names := platform.Names()
	i := newToy(func(env map[string]string) int { return 3000 })
	results := lintToy(t, i, Options{}, names...)
	if len(results) != len(names) || len(i.starts) > 6 {
		t.Errorf("%d results of %d starts for %d platforms: %v", len(results), len(i.starts), len(names), i.starts)
	}
	for n, r := range results {
		if r.Facts.Target.Platform != names[n] {
			t.Errorf("result %d is of %s, want %s", n, r.Facts.Target.Platform, names[n])
		}
	}
}

func TestServicesOfAProcfile(t *testing.T) {
	t.Parallel()
	procfile := fstest.MapFS{".aptible/Procfile": {Data: []byte("web: /serve\nmetrics: /serve --metrics\n")}}
	for _, test := range []struct {
		service string
		want    map[string]string
		err     string
	}{
		{"", map[string]string{"aptible web": "pass", "aptible metrics": "pass"}, ""},
		{"web", map[string]string{"aptible web": "pass"}, ""},
		{"worker", nil, "the Procfile names web, metrics"},
	} {
		t.Run(test.service, func(t *testing.T) {
			t.Parallel()
			i := newToy(func(map[string]string) int { return 3000 })
			i.files = procfile
			results := lintToy(t, i, Options{Service: test.service}, "aptible")
			if test.err != "" {
				if err := results[0].Err; err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if diff := cmp.Diff(test.want, verdicts(results)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergedServices: the worst service is the image's verdict, and a worker
// that listens nowhere is no fault.
func TestMergedServices(t *testing.T) {
	t.Parallel()
	service := func(name string, v finding.Verdict, rules ...string) report.Result {
		r := report.Result{Ref: "toy", Verdict: v, Reason: "because", Facts: &facts.Facts{Target: facts.Target{Service: name}}}
		for _, rule := range rules {
			r.Findings = append(r.Findings, finding.Finding{Rule: rule, Severity: finding.Error, Message: rule})
		}
		return r
	}
	worker := service("worker", finding.Fail, neverListens)
	idle(&worker)
	if worker.Verdict != finding.Unknown || worker.Findings[0].Severity != finding.Note {
		t.Errorf("a worker is %s with a %s", worker.Verdict, worker.Findings[0].Severity)
	}
	crashed := service("cron", finding.Fail, "exits-at-once", neverListens)
	idle(&crashed)
	if crashed.Verdict != finding.Fail {
		t.Errorf("a service that crashed is %s", crashed.Verdict)
	}
	for _, test := range []struct {
		services []report.Result
		want     finding.Verdict
	}{
		{[]report.Result{worker, service("web", finding.Pass)}, finding.Pass},
		{[]report.Result{service("web", finding.Pass), crashed}, finding.Fail},
		{[]report.Result{worker}, finding.Unknown},
	} {
		if got := merged(test.services); got.Verdict != test.want {
			t.Errorf("merged %d services: %s, want %s", len(test.services), got.Verdict, test.want)
		}
	}
}

func TestLintAllSaysWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	p, err := platform.Load("heroku")
	if err != nil {
		t.Fatal(err)
	}
	l := &Linter{Sources: []Source{newToy(nil)}}
	results := l.LintAll(t.Context(), "other", []*platform.Platform{p, p}, quiet{})
	if len(results) != 2 || slices.ContainsFunc(results, func(r report.Result) bool { return r.Err == nil || errors.Is(r.Err, context.Canceled) }) {
		t.Errorf("results %+v, want an error for each platform", results)
	}
}

// TestMomentsAreRules: a platform's words are looked up by the rules' names.
func TestMomentsAreRules(t *testing.T) {
	t.Parallel()
	for moment, ids := range platform.Moments() {
		for _, id := range ids {
			if rules.Find(id) == nil {
				t.Errorf("%s: there is no rule %q", moment, id)
			}
		}
	}
	for id := range restsOn {
		if rules.Find(id) == nil {
			t.Errorf("restsOn: there is no rule %q", id)
		}
	}
}

// TestArchitecturesThatAreDemanded: a platform that says what its machines run
// refuses an image for others; one that does not is silent.
func TestArchitecturesThatAreDemanded(t *testing.T) {
	t.Parallel()
	i := newToy(func(map[string]string) int { return 3000 })
	i.image.Architecture = "arm64"
	i.files = fstest.MapFS{"serve": {Data: []byte("#!/serve\n"), Mode: 0o755}}
	results := lintToy(t, i, Options{Static: true}, platform.Names()...)
	for _, r := range results {
		demands := len(r.Facts.Target.Architectures) > 0
		refused := slices.ContainsFunc(r.Findings, func(f finding.Finding) bool { return f.Rule == "wrong-architecture" })
		if demands != refused || refused && r.Verdict != finding.Fail {
			t.Errorf("%s runs %v: refused %v, verdict %s", r.Facts.Target.Platform, r.Facts.Target.Architectures, refused, r.Verdict)
		}
	}
}

// TestLowPortsNeedNoStartOfTheirOwn: unless somebody other than root binds one.
func TestLowPortsNeedNoStartOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ port, uid, starts int }{{8080, 1000, 1}, {80, 0, 1}, {80, 1000, 2}} {
		i := newToy(func(map[string]string) int { return c.port })
		i.uid = c.uid
		results := lintToy(t, i, Options{Overrides: platform.Overrides{Port: c.port}}, "kubernetes", "azure-container-apps")
		if len(i.starts) != c.starts || results[0].Starts != c.starts {
			t.Errorf("user %d on port %d: %d starts, said %d, want %d", c.uid, c.port, len(i.starts), results[0].Starts, c.starts)
		}
	}
}

// TestEveryPortIsAskedInOneStart, and one row tells of all.
func TestEveryPortIsAskedInOneStart(t *testing.T) {
	t.Parallel()
	i := newToy(func(map[string]string) int { return 3000 })
	i.image.Config.Exposed = []facts.Port{{Number: 3000, Protocol: "tcp"}, {Number: 4000, Protocol: "tcp"}}
	results := lintToy(t, i, Options{}, "cloud-foundry", "dokku")
	want := map[string]string{"cloud-foundry": "fail wrong-endpoint-port", "dokku": "pass"}
	if diff := cmp.Diff(want, verdicts(results)); diff != "" || len(i.starts) != 1 {
		t.Errorf("%d starts, verdicts (-want +got):\n%s", len(i.starts), diff)
	}
	for _, f := range results[1].Findings {
		if f.Rule == "wrong-endpoint-port" && f.Severity != finding.Warning {
			t.Errorf("dokku only maps the port, and the finding is a %s", f.Severity)
		}
	}
}

// TestTheDockerfileTellsTheOrder of EXPOSE that the image does not keep.
func TestTheDockerfileTellsTheOrder(t *testing.T) {
	t.Parallel()
	d := &facts.Dockerfile{Fields: map[finding.Field][]facts.Instruction{finding.FieldExpose: {
		{Text: "EXPOSE 9000/tcp 53/udp 80"}, {Text: "expose 443 $PORT 8080"},
	}}}
	if got := exposeOrder(d); !slices.Equal(got, []int{9000, 80, 443}) {
		t.Errorf("order %v, want that up to the variable", got)
	}
	if got := exposeOrder(nil); got != nil {
		t.Errorf("order %v of no Dockerfile", got)
	}
}

// TestProofsAreShared: a fix that comes to the same start on several platforms
// is tried once, and each platform weighs what was seen by its own demand.
func TestProofsAreShared(t *testing.T) {
	t.Parallel()
	i := newToy(func(env map[string]string) int { return 3000 })
	i.image.Config.Exposed = []facts.Port{{Number: 443, Protocol: "tcp"}, {Number: 3000, Protocol: "tcp"}}
	results := lintToy(t, i, Options{Prove: true, Overrides: platform.Overrides{}}, "azure-app-service", "dokku", "elastic-beanstalk", "kamal")
	for _, r := range results {
		for _, f := range r.Findings {
			if f.Severity != finding.Error || f.Fix == nil {
				continue
			}
			name, proved := r.Facts.Target.Platform, f.Fix.Verified != nil && *f.Fix.Verified
			if want := f.Rule == "wrong-endpoint-port"; proved != want {
				t.Errorf("%s: %s: proved %v, want %v (%s)", name, f.Rule, proved, want, f.Fix.Proof)
			}
		}
	}
	if got := results[0].Starts; got != len(i.starts) || got != 3 {
		t.Errorf("%d starts, said %d, want 3: without PORT, with it, and the fix of the first: %v", len(i.starts), got, i.starts)
	}
}

// lostRun is an image whose observer is killed, in a run that could not see all
// from the start.
type lostRun struct{ *toy }

func (l lostRun) Open(context.Context, string) (Image, error) { return l, nil }

func (lostRun) Observe(context.Context, run.Spec, run.Watcher) (facts.Run, error) {
	return facts.Run{Stopped: facts.StopLost, Blind: []string{"there is no memory limit"}}, nil
}

// TestLostRunSaysWhy: what kept imglint from looking is told, and not what kept
// it from seeing a part.
func TestLostRunSaysWhy(t *testing.T) {
	t.Parallel()
	p, err := platform.Load("aptible")
	if err != nil {
		t.Fatal(err)
	}
	l := &Linter{Sources: []Source{lostRun{newToy(func(map[string]string) int { return 0 })}}, Options: Options{Platform: p, Rules: rules.All, Signs: rules.Signs{}, Limits: run.DefaultLimits}}
	r := l.Lint(t.Context(), "toy", quiet{})
	if len(r.NotChecked) == 0 || !strings.Contains(r.NotChecked[0].Why, "fell silent") || r.Facts.Run != nil {
		t.Errorf("not checked %+v, a run %v", r.NotChecked, r.Facts.Run)
	}
}
