package servers_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

// TestHints: of a program that is not known the image's own units are asked,
// and a letter among its options says nothing.
func TestHints(t *testing.T) {
	t.Parallel()
	program := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 60)
	unit := "[Service]\nType=forking\nExecStart=/usr/sbin/thing -d /etc/thing\n"
	for _, tt := range []struct{ name, cmd, unit, want string }{
		{"the same words", "/usr/sbin/thing -d /etc/thing", unit, "/lib/systemd/system/thing.service:2 starts it with the same words and says Type=forking"},
		{"by name", "thing -d /etc/thing", unit, "/lib/systemd/system/thing.service:2 starts it with the same words and says Type=forking"},
		{"other words", "/usr/sbin/thing -f", unit, ""},
		{"a unit that stays", "/usr/sbin/thing -d /etc/thing", strings.Replace(unit, "forking", "simple", 1), ""},
		{"no unit", "/usr/sbin/thing -D", "", ""},
	} {
		files := fstest.MapFS{"usr/sbin/thing": {Data: []byte(program), Mode: 0o755}}
		if tt.unit != "" {
			files["lib/systemd/system/thing.service"] = &fstest.MapFile{Data: []byte(tt.unit)}
		}
		l := launch.Follow(facts.Config{Cmd: strings.Fields(tt.cmd), WorkingDir: "/"}, nil, files)
		if p := servers.Predict(l, files); p.Hint != tt.want || p.Daemonizes != facts.Unknown || p.Complete {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
}

// TestImportHint reads this machine's programs: some
// import daemon and others do not.
func TestImportHint(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"/bin/true": false, "/bin/cat": false, "/usr/sbin/arpd": true, "/usr/sbin/e2fsck": true} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Logf("%s is not here", name)
			continue
		}
		files := fstest.MapFS{"bin/thing": {Data: data, Mode: 0o755}}
		l := launch.Follow(facts.Config{Cmd: []string{"/bin/thing"}, WorkingDir: "/"}, nil, files)
		if p := servers.Predict(l, files); (p.Hint != "") != want {
			t.Errorf("%s: hint %q, want %v", name, p.Hint, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"app/run": {Data: []byte("#!/usr/bin/python3\nx\n"), Mode: 0o755}, "usr/bin/python3": {Data: []byte("x"), Mode: 0o755}}
	l := launch.Follow(facts.Config{Cmd: []string{"/app/run"}, WorkingDir: "/"}, nil, files)
	if p := servers.Predict(l, files); p.Why != "run is a program in Python: its code decides" {
		t.Errorf("why %q", p.Why)
	}
}
