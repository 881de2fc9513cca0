package lint

import (
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/rules"
)

// What one image may cost, in CPU time of this process and its children.
const (
	medianCost = 20 * time.Millisecond
	worstCost  = 200 * time.Millisecond
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == sealed.Argument {
		os.Exit(sealed.Main(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// subject is an image whose files are at hand.
type subject struct {
	name  string
	image facts.Image
	files fs.FS
}

// subjects are all launches, and all fixtures with what their Dockerfiles copy.
func subjects(t testing.TB) []subject {
	t.Helper()
	var all []subject
	for _, c := range launchCases(t) {
		image, files := c.image(t)
		all = append(all, subject{c.group + "/" + c.Name, image, files})
	}
	debian := readBase(t, "debian").files
	for _, f := range fixtures(t) {
		recorded, ok := f.section("facts.json")
		if !ok {
			continue
		}
		var known facts.Facts
		if err := json.Unmarshal([]byte(recorded), &known); err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		for name, file := range debian {
			files[name] = file
		}
		for _, file := range f.archive.Files {
			files[strings.TrimPrefix(known.Image.Config.WorkingDir+"/"+file.Name, "/")] = &fstest.MapFile{Data: file.Data, Mode: 0o755}
		}
		all = append(all, subject{f.name, known.Image, files})
	}
	return all
}

// cost is the CPU time that the static judgement of one image takes, with a
// child of its own.
func (s subject) cost(o Options, child sealed.Child) time.Duration {
	before := spent()
	judged(o, collect(s.image, s.files, o), true)
	child.Close() // a child's time counts when it has ended
	return spent() - before
}

func spent() time.Duration {
	var all time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err == nil {
			all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
		}
	}
	return all
}

type costs struct {
	n             int
	median, worst time.Duration
	dearest       string
}

func measure(t testing.TB) costs {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	p, err := platform.Load("aptible")
	if err != nil {
		t.Fatal(err)
	}
	child := sealed.Child{Program: program}
	o := Options{Rules: rules.All, Signs: rules.Signs{}, Platform: p, Static: true, Interpreter: child}
	all := subjects(t)
	var c costs
	var each []time.Duration
	for _, s := range all {
		took := s.cost(o, child)
		if took > c.worst {
			c.worst, c.dearest = took, s.name
		}
		each = append(each, took)
	}
	slices.Sort(each)
	c.n, c.median = len(each), each[len(each)/2]
	return c
}

// TestStaticCost: a static judgement is cheap. It runs alone, for other tests
// would be counted too.
func TestStaticCost(t *testing.T) {
	c := measure(t)
	t.Logf("%d images: median %s, worst %s (%s)", c.n, c.median.Round(10*time.Microsecond), c.worst.Round(time.Millisecond), c.dearest)
	if c.median > medianCost || c.worst > worstCost {
		t.Errorf("the static judgement takes %s of CPU time at the median and %s at the worst (%s), more than %s and %s", c.median, c.worst, c.dearest, medianCost, worstCost)
	}
}

// BenchmarkStaticCost prints what TestStaticCost holds.
func BenchmarkStaticCost(b *testing.B) {
	for b.Loop() {
		c := measure(b)
		b.ReportMetric(float64(c.median.Microseconds())/1000, "median-ms")
		b.ReportMetric(float64(c.worst.Microseconds())/1000, "worst-ms")
	}
}
