package platform

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestContract(t *testing.T) {
	t.Parallel()
	tests := []struct {
		platform, topic, name string
		want                  Claim
	}{
		{"aptible", "endpoint", "chosen by", Claim{Text: "the lowest exposed tcp port, compared as text", Known: true, Confidence: Documented, Source: "endpoints"}},
		{"aptible", "host", "architectures", Claim{Text: Undocumented}},
		{"aptible", "probe in strict mode", "accepts", Claim{Text: "status 200", Known: true, Confidence: Documented, Source: "checks"}},
		{"aptible", "boot window", "most", Claim{Text: "15m0s", Known: true, Confidence: Documented, Source: "checks"}},
		{"fly", "host", "architectures", Claim{Text: "amd64", Known: true, Confidence: Source, Source: "flyctl"}},
		{"coolify", "host", "the check asks inside", Claim{Text: "yes", Known: true, Confidence: Source, Source: "src"}},
		{"heroku", "environment", "PORT", Claim{}},
	}
	for _, test := range tests {
		t.Run(test.platform+" "+test.name, func(t *testing.T) {
			t.Parallel()
			var got Claim
			for _, c := range load(t, test.platform).Contract() {
				if c.Topic == test.topic && c.Name == test.name {
					c.Topic, c.Name, c.Note = "", "", ""
					got = c
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("claim (-want +got):\n%s", diff)
			}
		})
	}
}

// TestContractHidesNothing: what is claimed has a source, what is not says so.
func TestContractHidesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		p := load(t, name)
		for _, c := range p.Contract() {
			_, listed := p.Sources[c.Source]
			if c.Known != listed || c.Known == (c.Text == Undocumented) || strings.TrimSpace(c.Text) == "" {
				t.Errorf("%s: claim %+v", name, c)
			}
		}
	}
}

func TestSays(t *testing.T) {
	t.Parallel()
	target := load(t, "ecs-alb").Target(image("80"), Overrides{})
	for rule, want := range map[string]string{"": "Target.FailedHealthChecks", "status-refused": "Target.ResponseCodeMismatch", "slow-response": "Target.Timeout"} {
		if got := target.Says[rule]; got != want {
			t.Errorf("Says[%q] = %q, want %q", rule, got, want)
		}
	}
	says := load(t, "elastic-beanstalk").Target(image("80"), Overrides{}).Says
	if says[""] != "" || says["missing-expose"] == "" {
		t.Errorf("elastic-beanstalk says %v, want words about EXPOSE alone", says)
	}
	if says := load(t, "aptible").Target(image("80"), Overrides{}).Says; says != nil {
		t.Errorf("aptible documents no words, got %v", says)
	}
}

func TestAssignedPortIsNotExposed(t *testing.T) {
	t.Parallel()
	got := load(t, "heroku").Target(image("24731", "24732"), Overrides{})
	if got.Endpoint.Port != 24733 || !cmp.Equal(got.Env, []string{"PORT=24733"}) || !got.Endpoint.Injected {
		t.Errorf("endpoint %+v, env %v: want a port that is not exposed", got.Endpoint, got.Env)
	}
}
