package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/probe/embed"
	"github.com/imglint/imglint/pkg/run/local"
	"github.com/imglint/imglint/pkg/servers"
)

var (
	all    = flag.Bool("all", false, "every configuration, not only the slice of each file")
	again  = flag.Bool("again", false, "start what was observed before, too")
	only   = flag.String("only", "", "configurations whose file or name contains this")
	report = flag.String("report", "", "write what was found to this file")
	show   = flag.Bool("show", false, "log what was seen and predicted of each configuration")
)

// cacheSize is for the roots and the layers of cases.
const cacheSize = 16 << 30

// bench is what the cases share.
type bench struct {
	dir    string
	runner *local.Runner
	slots  chan struct{} // how many servers run at a time
	roots  map[string]*root

	mu   sync.Mutex
	sums map[string]*tally
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "imglint", "conformance")
	if err := os.MkdirAll(filepath.Join(dir, "seen"), 0o700); err != nil {
		t.Fatal(err)
	}
	runner, err := local.New(t.Context(), local.Options{Dir: dir, CacheSize: cacheSize, Probe: embed.Binary})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{dir: dir, runner: runner, slots: make(chan struct{}, 6), roots: map[string]*root{}, sums: map[string]*tally{}}
}

// TestConformance starts real servers, or remembers what they did, and wants
// nothing predicted that is not so.
func TestConformance(t *testing.T) {
	if !*all && *only == "" && os.Getenv("IMGLINT_CONFIRM") == "" {
		t.Skip("starts servers: IMGLINT_CONFIRM=1 for some, -all for all (`make conformance`)")
	}
	b := newBench(t)
	t.Run("cases", func(t *testing.T) {
		for _, s := range readSuites(t) {
			count := len(s.Cases)
			if !*all && *only == "" {
				count = s.Slice
			}
			for i := range s.Cases[:min(count, len(s.Cases))] {
				c := &s.Cases[i]
				if !strings.Contains(s.name+": "+c.name(), *only) {
					continue
				}
				r := b.root(t, s.Root)
				t.Run(s.name+": "+c.name(), func(t *testing.T) {
					t.Parallel()
					b.check(t, s.name, c, r)
				})
			}
		}
	})
	b.conclude(t)
}

func (b *bench) root(t *testing.T, name string) *root {
	if b.roots[name] == nil {
		b.roots[name] = openRoot(t, b.dir, name)
	}
	return b.roots[name]
}

// check holds what is predicted of a case against what it did.
func (b *bench) check(t *testing.T, suite string, c *testCase, r *root) {
	s, cached, err := b.observed(t.Context(), c, r, false)
	if errors.Is(err, local.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := r.with(c.Files)
	if err != nil {
		t.Fatal(err)
	}
	l := launch.FollowWith(c.config(facts.Config{Env: r.Env}), nil, files, sealed.Here{})
	p := servers.Predict(l, files)
	claims, known := judge(l, p, s)
	if missing(claims) && !s.Exited && len(s.Sockets) == 0 {
		// On a busy machine it may take longer.
		if s, cached, err = b.observed(t.Context(), c, r, true); err != nil {
			t.Fatal(err)
		}
		claims, known = judge(l, p, s)
	}
	if *show {
		t.Logf("seen: %s %v\nlaunch %s %s\npredicted: daemonizes %q, complete %t, %+v %s %s\nclaims %+v\n%s", s.fate(), s.Sockets,
			l.Known, l.Why, p.Daemonizes, p.Complete, p.Listens, p.Ends, p.Why, claims, strings.Join(s.Log, "\n"))
	}
	b.count(t, suite, outcome{c, s, claims, known, cached, reason(l, p)})
}

func reason(l facts.Launch, p facts.Prediction) string {
	for _, why := range []string{l.Why, p.Why} {
		if why != "" {
			return why
		}
	}
	return fmt.Sprintf("whether it stays is not known: %s", p.DaemonWhy)
}

// count adds an outcome, and fails the test for a contradiction, or for a word
// of the case that is not so.
func (b *bench) count(t *testing.T, suite string, o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := b.sums[suite]
	if sum == nil {
		sum = &tally{}
		b.sums[suite] = sum
	}
	sum.add(o)
	for _, complaint := range o.complaints() {
		t.Errorf("%s\n  %s\n  seen: %s, %v\n  log: %s", o.c.name(), complaint, o.seen.fate(), o.seen.Sockets, strings.Join(o.seen.Log, "\n       "))
	}
}

// conclude prints the sums, and wants enough to be known.
func (b *bench) conclude(t *testing.T) {
	text := render(b.sums)
	t.Log("\n" + text)
	if *report != "" {
		if err := os.WriteFile(*report, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	total := sum(b.sums)
	if *only == "" && total.decidable > 0 && total.known*100 < total.decidable*leastKnown {
		t.Errorf("of %d decidable configurations only %d are known", total.decidable, total.known)
	}
}
