package rules

import (
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
)

// TestPrivilegedPortPredicted: a low port that is certain to be bound by
// somebody who is not root is worth a warning before anything runs.
func TestPrivilegedPortPredicted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user     string // of the image
		becomes  string // whom the launch changes to
		port     int
		unsure   bool
		platform facts.Tri // who may bind low ports there
		want     int
	}{
		"low":              {"web", "web", 80, false, facts.No, 1},
		"high":             {"web", "web", 8080, false, facts.No, 0},
		"root":             {"root", "", 80, false, facts.No, 0},
		"becomes root":     {"web", "root", 80, false, facts.No, 0},
		"not all is known": {"web", "web", 80, true, facts.No, 0},
		"allowed there":    {"web", "web", 80, false, facts.Yes, 0},
	} {
		f := &facts.Facts{
			Image:      facts.Image{Config: facts.Config{User: tt.user, Cmd: []string{"server"}}},
			Target:     facts.Target{Platform: "kubernetes", PrivilegedPorts: tt.platform},
			Launch:     facts.Launch{Known: facts.Yes, Argv: []string{"server"}, Command: facts.Command{User: tt.becomes}},
			Prediction: facts.Prediction{Complete: !tt.unsure, Listens: []facts.Listen{{Network: "tcp", Host: "0.0.0.0", Scope: facts.ScopeAny, Port: tt.port}}},
		}
		found := rule.CheckAll([]*rule.Rule{PrivilegedPort}, f)
		if len(found) != tt.want || tt.want == 1 && found[0].Severity != finding.Warning {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
