package local

import (
	"errors"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

// TestDoubt: with one user mapped, a program that fails over users is none
// that crashes; one that fails over anything else is.
func TestDoubt(t *testing.T) {
	t.Parallel()
	root, web := identity{}, identity{uid: 1000}
	exited := &facts.Exit{Code: 1}
	for _, tt := range []struct {
		name, line string
		kind       kind
		who        identity
		exit       *facts.Exit
		doubted    bool
	}{
		{"nginx", "nginx: [emerg] chown(\"/var/lib/nginx/body\", 33) failed (22: Invalid argument)", alone, root, exited, true},
		{"postgres", `"root" execution of the PostgreSQL server is not permitted.`, alone, root, exited, true},
		{"OpenSMTPD", "/var/spool/smtpd/offline is not owned by gid 106", alone, root, exited, true},
		{"redis", "setgid() failed", alone, root, exited, true},
		{"another cause", "ModuleNotFoundError: No module named 'shop'", alone, root, exited, false},
		{"a guided tour", "the guide is rootless and ownerless", alone, root, exited, false},
		{"not root in the container", "chown failed", alone, web, exited, false},
		{"all users mapped", "chown failed", many, root, exited, false},
		{"no user namespace", "chown failed", same, root, exited, false},
		{"it ended well", "chown failed", alone, root, &facts.Exit{}, false},
		{"it goes on", "chown failed", alone, root, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			im := &Image{runner: &Runner{users: mapping{kind: tt.kind}}}
			err := im.doubt(facts.Run{Exit: tt.exit, Log: facts.Log{Lines: []facts.LogLine{{Text: tt.line}}}}, tt.who)
			var doubt *InconclusiveError
			if errors.As(err, &doubt) != tt.doubted {
				t.Errorf("%v, want a doubt: %t", err, tt.doubted)
			}
		})
	}
}
