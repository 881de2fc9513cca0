package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// request is one that a filter may refuse.
type request struct {
	method, path string
	body         []byte // of a container's creation
}

// refusing is an engine's socket behind one that refuses some requests, as an
// authorization plugin, an older API or another engine does.
func refusing(t *testing.T, refuse ...func(request) bool) string {
	t.Helper()
	upstream := socketPath(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", upstream)
	}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses(t, r, refuse) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"authorization denied by plugin test"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return "unix://" + path
}

func refuses(t *testing.T, r *http.Request, refuse []func(request) bool) bool {
	q := request{method: r.Method, path: r.URL.Path}
	if strings.HasSuffix(r.URL.Path, "/containers/create") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		q.body = body
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	for _, f := range refuse {
		if f(q) {
			return true
		}
	}
	return false
}

// creation is what a request to create a container asks for.
type creation struct {
	Entrypoint []string
	HostConfig struct {
		NetworkMode, PidMode string
		Mounts               []struct{ Target string }
	}
}

func (q request) creation() (c creation, ok bool) {
	return c, len(q.body) > 0 && json.Unmarshal(q.body, &c) == nil
}

func creating(when func(creation) bool) func(request) bool {
	return func(q request) bool {
		c, ok := q.creation()
		return ok && when(c)
	}
}

var (
	noNetwork    = creating(func(c creation) bool { return c.HostConfig.NetworkMode == "none" })
	noEntrypoint = creating(func(c creation) bool { return len(c.Entrypoint) > 0 && c.Entrypoint[0] == probePath })
	noJoining    = creating(func(c creation) bool { return strings.HasPrefix(c.HostConfig.NetworkMode, "container:") })
	noProcesses  = creating(func(c creation) bool { return c.HostConfig.PidMode != "" })
	noMounts     = creating(func(c creation) bool { return len(c.HostConfig.Mounts) > 0 })
	noCopies     = func(q request) bool { return q.method == http.MethodPut && strings.HasSuffix(q.path, "/archive") }
	noImport     = func(q request) bool { return strings.HasSuffix(q.path, "/images/create") }
)
