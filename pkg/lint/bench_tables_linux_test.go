package lint

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/run"
)

// table holds samples by row, in the order of their first one.
type table struct {
	title   string
	against []string // rows that the others are held against
	names   []string
	samples map[string][]time.Duration
}

func newTable(title string, against ...string) *table {
	return &table{title: title, against: slices.DeleteFunc(against, func(s string) bool { return s == "" }), samples: map[string][]time.Duration{}}
}

func (t *table) add(name string, d time.Duration) {
	if t.samples[name] == nil {
		t.names = append(t.names, name)
	}
	t.samples[name] = append(t.samples[name], d)
}

// part is the sample that a part of all are not above.
func (t *table) part(name string, of float64) time.Duration {
	all := slices.Sorted(slices.Values(t.samples[name]))
	if len(all) == 0 {
		return 0
	}
	return all[int(of*float64(len(all)-1)+0.5)]
}

// aims are what was set out for.
var aims = map[string]string{
	"engine, in a cell": "≤ 0.6 × docker run", "local": "≤ 60 ms, ≤ 1.2 × runc run", "crash, engine": "≤ 250 ms", "crash, local": "≤ 60 ms",
}

func (t *table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%-42s %9s %11s %3s", t.title, "", "median ms", "p10–p90", "n")
	for _, other := range t.against {
		fmt.Fprintf(&b, " %13s", "× "+other)
	}
	fmt.Fprintf(&b, "  aim\n")
	for _, name := range t.names {
		spread := fmt.Sprintf("%.0f–%.0f", ms(t.part(name, 0.1)), ms(t.part(name, 0.9)))
		fmt.Fprintf(&b, "%-42s %9.0f %11s %3d", name, ms(t.part(name, 0.5)), spread, len(t.samples[name]))
		for _, other := range t.against {
			fmt.Fprintf(&b, " %13.2f", t.ratio(name, other))
		}
		fmt.Fprintf(&b, "  %s\n", aims[name])
	}
	return b.String()
}

// ratio is the median of the ratios within each turn, in which all of a
// turn's samples were taken on the same, more or less busy, machine.
func (t *table) ratio(name, other string) float64 {
	var all []float64
	for i := range min(len(t.samples[name]), len(t.samples[other])) {
		all = append(all, float64(t.samples[name][i])/float64(t.samples[other][i]))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (m *measured) tables() string {
	var all []string
	for _, t := range []*table{m.start, m.verdict, m.batch} {
		all = append(all, t.String())
	}
	return strings.Join(append(all, m.notes...), "\n")
}

// observer watches, for a few seconds, the process that watches a program
// which does nothing.
func (m *measured) observer() {
	img, err := FromEngineHere(m.reader, m.local, nil).Open(m.b.Context(), benchServer)
	if err != nil {
		m.b.Fatal(err)
	}
	defer m.close(img)
	mark := fmt.Sprintf("observed-%d", os.Getpid())
	spec := benchSpec(m.b)
	spec.Argv, spec.Target.BootWindow = []string{"/app", "sleep", mark}, time.Minute
	ctx, cancel := context.WithCancel(m.b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = img.(run.Observer).Observe(ctx, spec, nil) // it is cancelled
	}()
	defer func() { cancel(); <-ended }()
	time.Sleep(time.Second) // its start is measured above
	pid := watcherOf(mark)
	before := usage(pid)
	const watched = 5 * time.Second
	time.Sleep(watched)
	after := usage(pid)
	if pid == 0 || after.bytes == 0 {
		m.b.Errorf("the observer of %s was not found", mark)
	}
	m.notes = append(m.notes, fmt.Sprintf("the observer beside an idle program: %.1f %% of a CPU, %.1f MB of memory\n",
		100*float64(after.cpu-before.cpu)/float64(watched), float64(after.bytes)/1e6))
}

// watcherOf is the child of the process with a mark in its command line; 0:
// there is none.
func watcherOf(mark string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), mark) {
			continue
		}
		children, _ := filepath.Glob(filepath.Dir(file) + "/task/*/children")
		for _, c := range children {
			text, _ := os.ReadFile(c)
			for word := range strings.FieldsSeq(string(text)) {
				pid, _ := strconv.Atoi(word)
				return pid
			}
		}
	}
	return 0
}

type used struct {
	cpu   time.Duration
	bytes int64
}

// usage reads what the kernel counts: ticks of 10 ms, and kilobytes.
func usage(pid int) (u used) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, _ := os.ReadFile(dir + "/stat")
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 12 {
		for _, text := range fields[11:13] {
			n, _ := strconv.Atoi(text)
			u.cpu += time.Duration(n) * 10 * time.Millisecond
		}
	}
	status, _ := os.ReadFile(dir + "/status")
	_, rest, _ = strings.Cut(string(status), "VmRSS:")
	for word := range strings.FieldsSeq(rest) {
		n, _ := strconv.ParseInt(word, 10, 64)
		u.bytes = n * 1024
		break
	}
	return u
}
