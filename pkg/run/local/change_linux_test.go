package local

import (
	"errors"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// TestObserveChanges: what a program asks for that only several users can have
// is told where there is one, and what it asks for in vain is in vain there too.
func TestObserveChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		spec   func(*run.Spec)
		argv   []string
		doubts string // with one user
		log    string
	}{
		{name: "another user serves", argv: []string{"/app", "become", "1000", "/app", "serve", ":8000"}, doubts: "to become user 1000 (setuid)"},
		{name: "root stays root", argv: []string{"/app", "become", "0", "/app", "serve", ":8000"}},
		{name: "a file is given away", argv: []string{"/app", "own", "1000", "/etc/passwd"}, log: "<nil>"},
		{name: "a file is given to root", argv: []string{"/app", "own", "0", "/etc/passwd"}, log: "<nil>"},
		{name: "a file that is not there", argv: []string{"/app", "own", "1000", "/etc/nothing"}, log: "chown /etc/nothing: no such file or directory"},
		{name: "a relative one in a file", argv: []string{"/app", "own", "1000", "etc/passwd/x"}, log: "chown etc/passwd/x: not a directory"},
		{name: "a file that cannot be changed", spec: func(s *run.Spec) { s.ReadOnly = true },
			argv: []string{"/app", "own", "1000", "/etc/passwd"}, log: "chown /etc/passwd: read-only file system"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *Runner) {
				seen := observe(t, open(t, r, facts.Config{}), tt.spec, tt.argv...)
				if tt.log != "" && text(seen.Log) != tt.log {
					t.Errorf("log %q, want %q", text(seen.Log), tt.log)
				}
				if tt.log == "" && seen.Stopped != facts.StopAnswered {
					t.Errorf("stopped %q with %+v, log %q", seen.Stopped, seen.Exit, text(seen.Log))
				}
				doubts := tt.doubts != "" && r.users.kind == alone
				if doubts != (seen.Doubt != "") || !strings.Contains(seen.Doubt, tt.doubts) && doubts {
					t.Errorf("doubt %q, want %q", seen.Doubt, tt.doubts)
				}
			})
		})
	}
}

// TestObserveDoubtful: a program that fails, without a word, after it could
// not become another user is none that crashes.
func TestObserveDoubtful(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{})
		slots <- struct{}{}
		defer func() { <-slots }()
		_, err := im.Observe(t.Context(), runSpec("/app", "become", "1000", "/app", "exit", "3"), nil)
		if errors.Is(err, ErrUnsupported) {
			t.Skip(err)
		}
		var doubt *InconclusiveError
		if errors.As(err, &doubt) != (r.users.kind == alone) {
			t.Errorf("%v, with users of the kind %d", err, r.users.kind)
		}
	})
}
