package engine

import (
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

// aged is the engine behind one that offers an API of a version at most.
func aged(t *testing.T, version string) string {
	t.Helper()
	return enginetest.Behind(t, socketPath(t), func(engine *httputil.ReverseProxy) http.Handler {
		engine.ModifyResponse = func(r *http.Response) error {
			r.Header.Set("Api-Version", version)
			return nil
		}
		return engine
	})
}

// TestOldVersions: with an API before 1.30 every image seemed to end at once.
func TestOldVersions(t *testing.T) {
	connect(t, static) // skips without an engine
	for _, tt := range []struct{ offered, asked, fault string }{
		{offered: "1.24", fault: "speaks API version 1.24, and imglint needs 1.30"},
		{offered: "", fault: "speaks API version 1.24, and imglint needs 1.30"},
		{offered: "1.29", fault: "speaks API version 1.29, and imglint needs 1.30"},
		{asked: "1.24", fault: `DOCKER_API_VERSION asks for API version "1.24"`},
		{asked: "nonsense", fault: `DOCKER_API_VERSION asks for API version "nonsense"`},
		{asked: "1.99", fault: `does not take API version "1.99", for which DOCKER_API_VERSION asks`},
		{offered: "1.30"},
		{asked: "1.30"},
		{asked: "1.40"},
	} {
		t.Run("offered "+tt.offered+" asked "+tt.asked, func(t *testing.T) {
			t.Setenv("DOCKER_API_VERSION", tt.asked)
			var o Options
			if tt.asked == "" {
				o.Host = aged(t, tt.offered)
			}
			if tt.fault != "" {
				_, err := Connect(t.Context(), o)
				if !isKind(err, KindConfig) || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("error %v, want %q", err, tt.fault)
				}
				return
			}
			e := connect(t, func(other *Options) { other.Host = o.Host })
			ref := makeImage(t, e, nil)
			if seen := observe(t, e, ref, nil, "/app", "serve", ":8000"); seen.Stopped != facts.StopAnswered {
				t.Errorf("a good image: stopped %q", seen.Stopped)
			}
			if seen := observe(t, e, ref, nil, "/app", "exit", "3", "no"); seen.Exit == nil || seen.Exit.Code != 3 {
				t.Errorf("one that ends: exit %+v", seen.Exit)
			}
		})
	}
}
