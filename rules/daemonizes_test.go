package rules

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

// TestLeftBehind tells apart what a wrapped run's command leaves. The fixtures
// show the ways that come out the same each time; what an init kills is a race.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	const command = 14
	ended := func(code int, signal string) *facts.Exit { return &facts.Exit{Code: code, Signal: signal} }
	tests := map[string]struct {
		left []facts.Process
		want string // in the message; "": nothing is reported
	}{
		"nothing":                 {nil, ""},
		"a daemon":                {[]facts.Process{{PID: 20, SID: 20, Alive: 2100}}, "puts itself in the background, and the container exits"},
		"a grandchild of it":      {[]facts.Process{{PID: 21, SID: 20, Alive: 2100}}, "puts itself in the background, and the container exits"},
		"behind an &":             {[]facts.Process{{PID: 20, SID: command, FD0: "/dev/null", Alive: 2100}}, "the shell starts shopd in the background"},
		"killed with the command": {[]facts.Process{{PID: 20, SID: command, Exit: ended(143, "SIGTERM")}}, "puts itself in the background, and the container exits"},
		"killed much later":       {[]facts.Process{{PID: 20, SID: command, Alive: 1500, Exit: ended(143, "SIGTERM")}}, ""},
		"crashes there":           {[]facts.Process{{PID: 20, SID: 20, Alive: 3, Exit: ended(139, "SIGSEGV")}}, "where it ends at once"},
		"gives up there":          {[]facts.Process{{PID: 20, SID: 20, Alive: 700, Exit: ended(1, "")}}, "where it ends at once"},
		"a helper that ends":      {[]facts.Process{{PID: 20, SID: command, Alive: 700, Exit: ended(0, "")}}, ""},
	}
	for name, tt := range tests {
		for i := range tt.left {
			tt.left[i].Argv = []string{"shopd"}
		}
		exec := []facts.Event{{Kind: facts.EventExec, PID: command}}
		f := &facts.Facts{
			Run:     &facts.Run{Events: exec, Exit: &facts.Exit{}, Stopped: facts.StopExited},
			Wrapped: &facts.Run{Events: exec, Exit: &facts.Exit{}, Survivors: tt.left},
		}
		var messages []string
		for _, found := range rule.Check(Daemonizes, f) {
			messages = append(messages, found.Message)
		}
		got := strings.Join(messages, "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestLastWord finds what hides a shell script's code.
func TestLastWord(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"app & wait": "wait", "app &\nwait": "wait", "app & wait;": "wait", "app; true": "true", "app || true": "true",
		"app || :": ":", "app 2>&1 | tee /var/log/app": "tee",
		"app": "", "app & wait $!": "", "app && true": "", "exec app": "", "app; wait-for db": "", "app | teepee": "",
	} {
		got := strings.Join(lastWord.FindStringSubmatch(script), "|")
		if (got == "") != (want == "") || want != "" && !strings.Contains(got, "|"+want) {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}
