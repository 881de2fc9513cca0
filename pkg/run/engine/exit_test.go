package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestExitFacts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		code int
		oom  bool
		want facts.Exit
	}{
		{"success", 0, false, facts.Exit{T: 7}},
		{"a code", 3, false, facts.Exit{T: 7, Code: 3}},
		{"command not found", 127, false, facts.Exit{T: 7, Code: 127}},
		{"128 is no signal", 128, false, facts.Exit{T: 7, Code: 128}},
		{"the first signal", 129, false, facts.Exit{T: 7, Code: 129, Signal: "SIGHUP"}},
		{"a crash", 139, false, facts.Exit{T: 7, Code: 139, Signal: "SIGSEGV"}},
		{"killed", 137, false, facts.Exit{T: 7, Code: 137, Signal: "SIGKILL"}},
		{"killed for memory", 137, true, facts.Exit{T: 7, Code: 137, Signal: "SIGKILL", OOM: true}},
		{"a child was killed for memory, and the program gave up", 1, true, facts.Exit{T: 7, Code: 1}},
		{"the last signal", 159, false, facts.Exit{T: 7, Code: 159, Signal: "SIGSYS"}},
		{"beyond the signals", 160, false, facts.Exit{T: 7, Code: 160}},
		{"a large code", 255, false, facts.Exit{T: 7, Code: 255}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, *exitFacts(7, tt.code, tt.oom)); diff != "" {
				t.Errorf("exit (-want +got):\n%s", diff)
			}
		})
	}
}
