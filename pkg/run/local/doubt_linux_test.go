package local

import (
	"errors"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe/cage"
)

// TestDoubt: with one user mapped, a program that fails over users is none
// that crashes; one that fails over anything else is.
func TestDoubt(t *testing.T) {
	t.Parallel()
	root, web := identity{}, identity{uid: 1000}
	exited := &facts.Exit{Code: 1}
	asked := []cage.Change{{Kind: cage.ChangeOwner, Call: "chown", To: 33}}
	for _, tt := range []struct {
		name, line string
		kind       kind
		who        identity
		exit       *facts.Exit
		asked      []cage.Change
		doubted    bool
	}{
		{"nginx", "nginx: [emerg] chown(\"/var/lib/nginx/body\", 33) failed (22: Invalid argument)", alone, root, exited, nil, true},
		{"postgres", `"root" execution of the PostgreSQL server is not permitted.`, alone, root, exited, nil, true},
		{"OpenSMTPD", "/var/spool/smtpd/offline is not owned by gid 106", alone, root, exited, nil, true},
		{"redis", "setgid() failed", alone, root, exited, nil, true},
		{"another cause", "ModuleNotFoundError: No module named 'shop'", alone, root, exited, nil, false},
		{"a guided tour", "the guide is rootless and ownerless", alone, root, exited, nil, false},
		{"not root in the container", "chown failed", alone, web, exited, nil, false},
		{"sudo", "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set", alone, web, exited, nil, true},
		{"all users mapped", "chown failed", many, root, exited, nil, false},
		{"no user namespace", "chown failed", same, root, exited, nil, false},
		{"it ended well", "chown failed", alone, root, &facts.Exit{}, nil, false},
		{"a file that is not there", "chown: cannot access '/srv/data': No such file or directory", alone, root, exited, asked, false},
		{"without a word", "", alone, root, exited, asked, true},
		{"without a word, and it asked for nothing", "", alone, root, exited, nil, false},
		{"another cause, after it gave a file away", "ModuleNotFoundError: No module named 'shop'", alone, root, exited, asked, false},
		{"it goes on", "chown failed", alone, root, nil, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			im := &Image{runner: &Runner{users: mapping{kind: tt.kind}}}
			err := im.doubt(facts.Run{Exit: tt.exit, Log: facts.Log{Lines: []facts.LogLine{{Text: tt.line}}}}, tt.who, tt.asked)
			var doubt *InconclusiveError
			if errors.As(err, &doubt) != tt.doubted {
				t.Errorf("%v, want a doubt: %t", err, tt.doubted)
			}
		})
	}
}
