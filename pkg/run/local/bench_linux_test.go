package local

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// BenchmarkStart measures from the call to the program's own bind, to the
// verdict of a server that answers, and to that of a crash.
func BenchmarkStart(b *testing.B) {
	for _, m := range modes {
		b.Run(m.name, func(b *testing.B) {
			r := newRunner(b, m.change)
			im := open(b, r, facts.Config{})
			var binds, verdicts, crashes []time.Duration
			for b.Loop() {
				start := time.Now()
				seen := observe(b, im, nil, "/app", "serve", ":8000")
				verdicts = append(verdicts, time.Since(start))
				binds = append(binds, boundAt(b, text(seen.Log)).Sub(start))
				start = time.Now()
				observe(b, im, nil, "/app", "exit", "3", "no such table")
				crashes = append(crashes, time.Since(start))
			}
			b.ReportMetric(millis(binds), "ms-to-bind")
			b.ReportMetric(millis(verdicts), "ms-to-verdict")
			b.ReportMetric(millis(crashes), "ms-to-crash")
		})
	}
}

// boundAt reads when the test program said it had bound.
func boundAt(b *testing.B, log string) time.Time {
	_, number, _ := strings.Cut(log, "bound ")
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil {
		b.Fatalf("log %q: %v", log, err)
	}
	return time.Unix(0, n)
}

func millis(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2].Microseconds()) / 1000
}
