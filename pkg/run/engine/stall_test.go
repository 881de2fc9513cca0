package engine

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// relay is a socket that forwards to the engine until it is told to stall.
type relay struct {
	path    string
	stalled atomic.Bool
	mu      sync.Mutex
	open    []net.Conn
}

func newRelay(t *testing.T, upstream string) *relay {
	t.Helper()
	r := &relay{path: filepath.Join(t.TempDir(), "s")}
	l, err := net.Listen("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.open {
			c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.forward(c, upstream)
		}
	}()
	return r
}

func (r *relay) forward(c net.Conn, upstream string) {
	u, err := net.Dial("unix", upstream)
	if err != nil {
		c.Close()
		return
	}
	r.mu.Lock()
	r.open = append(r.open, c, u)
	r.mu.Unlock()
	go r.pipe(c, u)
	r.pipe(u, c)
}

// pipe forwards; what comes while the relay is stalled is lost.
func (r *relay) pipe(from, to net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !r.stalled.Load() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// socketPath is the local engine's, or the test is skipped.
func socketPath(t *testing.T) string {
	t.Helper()
	host := connect(t, static).Host()
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		t.Skipf("the engine at %s has no socket to stand in for", host)
	}
	return path
}

func TestEngineThatNeverAnswers(t *testing.T) {
	t.Parallel()
	r := newRelay(t, socketPath(t))
	r.stalled.Store(true)
	start := time.Now()
	_, err := Connect(t.Context(), Options{Host: "unix://" + r.path})
	if !isKind(err, KindHung) || err.Error() != "the engine at unix://"+r.path+` did not answer "ping" within 2s` {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 2*deadlines["ping"] {
		t.Errorf("told after %s", took)
	}
}

func TestEngineThatStopsAnswering(t *testing.T) {
	t.Parallel()
	r := newRelay(t, socketPath(t))
	e := connect(t, static, func(o *Options) { o.Host = "unix://" + r.path })
	if err := <-e.swept; err != nil {
		t.Fatal(err)
	}
	e.swept <- nil
	r.stalled.Store(true)
	type operation struct {
		name op
		run  func(context.Context, *api) error
	}
	// The shortest deadlines of each way to call: plain, stream and hijack.
	operations := []operation{
		{"inspect", func(ctx context.Context, a *api) error { _, err := a.inspect(ctx, "x"); return err }},
		{"wait", func(ctx context.Context, a *api) error { _, _, err := a.wait(ctx, "x"); return err }},
		{"attach", func(ctx context.Context, a *api) error { _, err := a.attach(ctx, "x", false); return err }},
	}
	for _, o := range operations {
		t.Run(string(o.name), func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			a := &api{client: e.api.client, host: e.api.host, heard: e.api.heard} // which has not seen it hang yet
			err := o.run(t.Context(), a)
			var hung *Error
			if !errors.As(err, &hung) || hung.Kind != KindHung || hung.Op != string(o.name) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(start); took > deadlines[o.name]+5*time.Second {
				t.Errorf("told after %s", took)
			}
			start = time.Now()
			if again := o.run(t.Context(), a); again == nil || again.Error() != err.Error() {
				t.Errorf("the second time: %v", again)
			}
			if took := time.Since(start); took > 2*deadlines["ping"] {
				t.Errorf("told after %s, although it was known to hang", took)
			}
		})
	}
}

// An engine that goes silent while an image runs must not make the image look
// like one that never listens.
func TestEngineThatStopsInTheMiddleOfARun(t *testing.T) {
	t.Parallel()
	r := newRelay(t, socketPath(t))
	e := connect(t, func(o *Options) { o.Host = "unix://" + r.path })
	im := open(t, e, makeImage(t, e, nil))
	w := teller{make(chan facts.Event, 100)}
	go func() {
		<-w.events
		r.stalled.Store(true)
	}()
	spec := runSpec("/app", "sleep")
	spec.Target.BootWindow = 2 * time.Second
	seen, err := im.Observe(t.Context(), spec, w)
	// The engine itself is well, so that everything can be removed. The
	// connections of before have lost bytes and are of no use any more.
	r.stalled.Store(false)
	e.api.client.HTTPClient().CloseIdleConnections()
	if !isKind(err, KindHung) || !strings.HasSuffix(err.Error(), ` did not answer "inspect" within 10s`) {
		t.Errorf("error %v", err)
	}
	if seen.Stopped != facts.StopLost {
		t.Errorf("stopped %q, want %q", seen.Stopped, facts.StopLost)
	}
}

func TestNoEngine(t *testing.T) {
	t.Parallel()
	host := "unix://" + filepath.Join(t.TempDir(), "none")
	_, err := Connect(t.Context(), Options{Host: host})
	if !isKind(err, KindNoEngine) || !strings.Contains(err.Error(), host) {
		t.Errorf("error %v", err)
	}
}

func TestCancelledCallSaysSo(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Open(ctx, "any"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the caller's own", err)
	}
}
