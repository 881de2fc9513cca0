package rules

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

// TestGunicornWorkerTimeout: what a version does to a booting worker and what a
// start without the limit showed decide what is said and which option cures.
// (The fixtures have gunicorn 20.1 alone: no later one is in Debian 12.)
func TestGunicornWorkerTimeout(t *testing.T) {
	t.Parallel()
	preload := []facts.Remedy{{Description: "preload"}}
	longer := []facts.Remedy{{Description: "longer"}}
	tests := map[string]struct {
		g         facts.Gunicorn
		boot      *facts.Boot
		says, fix string
	}{
		"not measured": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.Yes}, nil,
			"while they still load the application, which takes longer than its timeout of 30s", "preload",
		},
		"measured": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.Yes, Async: facts.No}, &facts.Boot{Took: 35_000},
			"one needs 35s, and is killed at 30s", "preload",
		},
		"async": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.Yes, Async: facts.Yes}, &facts.Boot{Took: 35_000},
			"one needs 35s, and is killed at 30s", "longer",
		},
		"a slow lifespan": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.Yes, Async: facts.Yes, ASGI: true, Preload: facts.Yes}, &facts.Boot{Took: 35_000},
			"while they still start the application", "longer; --preload does not cure",
		},
		"from 22.0.0": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.No}, &facts.Boot{Took: 42_000, Request: true},
			"because the first request takes longer than its timeout of 30s: it needs 42s, and is killed at 30s", "longer",
		},
		"from 22.0.0, not measured": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.No}, nil,
			"because the first request takes longer than its timeout of 30s", "longer",
		},
		"not within the window either": {
			facts.Gunicorn{Timeout: 30, KillsBooting: facts.Yes}, &facts.Boot{Within: 270_000},
			"without a limit it had not answered after 270s either", "preload",
		},
	}
	for name, tt := range tests {
		tt.g.FixPreload, tt.g.FixTimeout = preload, longer
		f := &facts.Facts{Boot: tt.boot, Run: &facts.Run{Stopped: facts.StopWindow, Log: facts.Log{Lines: logLines("[CRITICAL] WORKER TIMEOUT (pid:15)")}}}
		f.Prediction.Gunicorn = &tt.g
		found := rule.Check(GunicornWorkerTimeout, f)
		if len(found) != 1 || !strings.Contains(found[0].Message, tt.says) || found[0].Fix == nil || !strings.HasPrefix(found[0].Fix.Description, tt.fix) {
			t.Errorf("%s: %+v, want %q and the fix %q", name, found, tt.says, tt.fix)
		}
	}
}
