package image

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// quick is the retry of the tests.
var quick = remote.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 3}

// answering is a registry that answers every manifest with one status.
func answering(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		kind   Kind
		says   string
	}{
		{401, "", ErrUnauthorized, "docker login "},
		{403, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`, ErrUnauthorized, "docker login "},
		{404, `{"errors":[{"code":"NAME_UNKNOWN"}]}`, ErrNotFound, "has no image"},
		{404, "", ErrNotFound, "has no image"},
		{429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`, ErrRateLimited, "limits the number of requests"},
		{429, "", ErrRateLimited, "wait, or docker login 127.0.0.1:"},
		{500, "oops", ErrUnreachable, "500"},
		{504, "", ErrTimeout, "does not answer"},
		{200, "{}", ErrBroken, "read "},
		{418, "", ErrBroken, "418"},
	} {
		host := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		})
		fails(t, host+"/app:1", Options{backoff: quick}, test.kind, test.says)
	}
}

func TestMalformedReferences(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"", "My App", "UPPER/case", "a:b:c", "https://ghcr.io/x", "x@sha256:12"} {
		fails(t, ref, Options{}, ErrMalformed, "NAME in lower case")
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, host+"/app", Options{backoff: quick}, ErrUnreachable, "connection refused")
	nowhere := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "nowhere.test", IsNotFound: true}
	}}
	fails(t, "nowhere.test/app", Options{backoff: quick, Transport: nowhere}, ErrUnreachable, "no such host")
}

func TestTemporaryFailuresAreRetried(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	host := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})
	fails(t, host+"/app", Options{backoff: quick}, ErrNotFound, "has no image")
	if tries.Load() != 3 {
		t.Errorf("tried %d times", tries.Load())
	}
}

func TestSilentRegistry(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"within the answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, answering(t, handle)+"/app", Options{backoff: quick, Stall: 50 * time.Millisecond}, ErrTimeout, "does not answer")
		})
	}
}

func TestCancelIsNotATimeout(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	host := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := Registry(ctx, host+"/app", Options{backoff: quick})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("%v, want the cancellation", err)
	}
}
