package engine

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/imglint/imglint/pkg/facts"
)

// bound finds when the test program says that it had its socket.
var bound = regexp.MustCompile(`bound (\d+)`)

func boundAt(tb testing.TB, text string) time.Time {
	tb.Helper()
	match := bound.FindStringSubmatch(text)
	if match == nil {
		tb.Fatalf("the program did not say when it bound: %q", text)
	}
	ns, err := strconv.ParseInt(match[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return time.Unix(0, ns)
}

// BenchmarkBind compares how long a program takes to its socket when it is
// observed in a cell that is ready, and when it is just run as docker does.
func BenchmarkBind(b *testing.B) {
	e := connect(b)
	ref := makeImage(b, e, nil)
	b.Run("observed", func(b *testing.B) {
		im := open(b, e, ref)
		if err := im.reader.wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		var toBind, toVerdict time.Duration
		for b.Loop() {
			if err := im.vacant(b.Context()); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			seen, err := im.Observe(b.Context(), runSpec("/app", "serve", ":8000"), nil)
			if err != nil || seen.Stopped != facts.StopAnswered {
				b.Fatalf("stopped %q, %v", seen.Stopped, err)
			}
			at := boundAt(b, text(seen.Log))
			toBind += at.Sub(start)
			toVerdict += time.Since(at)
		}
		b.ReportMetric(float64(toBind.Milliseconds())/float64(b.N), "ms/bind")
		b.ReportMetric(float64(toVerdict.Milliseconds())/float64(b.N), "ms/verdict-after-bind")
	})
	b.Run("plain", func(b *testing.B) {
		var toBind time.Duration
		for b.Loop() {
			start := time.Now()
			toBind += plainRun(b, e, ref).Sub(start)
		}
		b.ReportMetric(float64(toBind.Milliseconds())/float64(b.N), "ms/bind")
	})
}

// plainRun does what docker run does, and returns when the program bound.
func plainRun(tb testing.TB, e *Engine, ref string) time.Time {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	id, err := e.api.create(ctx, &container.Config{
		Image: ref, Entrypoint: []string{"/app", "serve", ":8000"}, AttachStdout: true,
		Labels: e.owner.labels(roleTarget, time.Minute),
	}, &container.HostConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := e.remove(context.Background(), id, roleCell); err != nil {
			tb.Error(err)
		}
	}()
	conn, err := e.api.attach(ctx, id, false)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	if err := e.api.start(ctx, id); err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	for !bound.Match(out.Bytes()) {
		buf := make([]byte, 4096)
		n, err := conn.Reader.Read(buf)
		if err != nil {
			tb.Fatal(fmt.Errorf("read output: %w", err))
		}
		out.Write(buf[:n])
	}
	return boundAt(tb, out.String())
}
