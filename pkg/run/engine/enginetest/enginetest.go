// Package enginetest puts something between a test and the engine of this
// machine. Only tests import it.
package enginetest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// Behind serves the API of the engine at a unix socket on another one, as
// around makes it of a proxy, until the test ends. It returns the host.
func Behind(tb testing.TB, socket string, around func(*httputil.ReverseProxy) http.Handler) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	server := &http.Server{Handler: around(proxy)}
	go func() { _ = server.Serve(l) }() // it ends with Close
	tb.Cleanup(func() { server.Close() })
	return "unix://" + path
}

// Request is one that may be refused.
type Request struct {
	Method, Path string
	Body         []byte // of a container's creation
}

// Refusing is the engine behind one that refuses some requests, as an
// authorization plugin, an older API or another engine does.
func Refusing(tb testing.TB, socket string, refuse func(Request) bool) string {
	tb.Helper()
	return Behind(tb, socket, func(engine *httputil.ReverseProxy) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := Request{Method: r.Method, Path: r.URL.Path}
			if strings.HasSuffix(r.URL.Path, "/containers/create") {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return // the client is gone
				}
				q.Body, r.Body = body, io.NopCloser(bytes.NewReader(body))
			}
			if !refuse(q) {
				engine.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"message":"authorization denied by plugin test"}`) // the client may be gone
		})
	})
}

// Forward connects whoever comes to a listener with the engine at a unix
// socket, until the test ends.
func Forward(tb testing.TB, l net.Listener, socket string) {
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", socket)
			if err != nil {
				near.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(far, near)
				_ = far.(*net.UnixConn).CloseWrite()
			}()
			go func() { defer near.Close(); defer far.Close(); _, _ = io.Copy(near, far) }()
		}
	}()
}
