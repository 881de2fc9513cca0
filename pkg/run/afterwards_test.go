package run

import (
	"slices"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func TestAfterwards(t *testing.T) {
	t.Parallel()
	checked := facts.Config{Healthcheck: &facts.Healthcheck{Test: []string{"CMD", "/check"}}}
	odd := checked
	odd.StopSignal = "SIGWHAT"
	answered := &facts.Run{Events: []facts.Event{{Kind: facts.EventSignals, Signals: &facts.Signals{}}}}
	tests := []struct {
		name   string
		spec   Spec
		config facts.Config
		seen   *facts.Run
		check  []string
		number int
	}{
		{"both", Spec{}, checked, answered, []string{"/check"}, 15},
		{"no check", Spec{}, facts.Config{}, answered, nil, 15},
		{"a signal that there is not", Spec{}, odd, answered, []string{"/check"}, 0},
		{"brief", Spec{Brief: true}, checked, answered, nil, 0},
		{"wrapped", Spec{Wrapped: true}, checked, answered, nil, 0},
		{"not answered", Spec{}, checked, &facts.Run{}, nil, 0},
	}
	for _, tt := range tests {
		check, _, number := tt.spec.Afterwards(tt.config, tt.seen)
		if !slices.Equal(check, tt.check) || number != tt.number {
			t.Errorf("%s: got %q and signal %d, want %q and %d", tt.name, check, number, tt.check, tt.number)
		}
	}
}
