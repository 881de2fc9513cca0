package rules

import (
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

// TestPortEnvIgnoredPredicted: before anything runs it is said only where every
// listener is certain and the platform asks the port that it hands out.
func TestPortEnvIgnoredPredicted(t *testing.T) {
	t.Parallel()
	other := facts.Listen{Network: "tcp", Host: "0.0.0.0", Scope: facts.ScopeAny, Port: 8000}
	given := facts.Endpoint{Port: 9000, Injected: true}
	for name, tt := range map[string]struct {
		endpoint facts.Endpoint
		listens  []facts.Listen
		unsure   bool
		want     int
	}{
		"another port":         {given, []facts.Listen{other}, false, 1},
		"the port":             {given, []facts.Listen{other, {Network: "tcp", Host: "::", Scope: facts.ScopeAny, Port: 9000}}, false, 0},
		"a random port":        {given, []facts.Listen{other, {Network: "tcp", Host: "0.0.0.0", Scope: facts.ScopeAny}}, false, 0},
		"on loopback":          {given, []facts.Listen{{Network: "tcp", Host: "127.0.0.1", Scope: facts.ScopeLoopback, Port: 8000}}, false, 0},
		"not all is known":     {given, []facts.Listen{other}, true, 0},
		"PORT is not given":    {facts.Endpoint{Port: 9000}, []facts.Listen{other}, false, 0},
		"any open port serves": {facts.Endpoint{Port: 9000, Injected: true, Scanned: true}, []facts.Listen{other}, false, 0},
	} {
		f := &facts.Facts{
			Image:      facts.Image{Config: facts.Config{Cmd: []string{"server"}}},
			Target:     facts.Target{Platform: "heroku", Endpoint: tt.endpoint},
			Launch:     facts.Launch{Known: facts.Yes, Argv: []string{"server"}},
			Prediction: facts.Prediction{Complete: !tt.unsure, Listens: tt.listens},
		}
		if found := rule.CheckAll([]*rule.Rule{PortEnvIgnored}, f); len(found) != tt.want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
