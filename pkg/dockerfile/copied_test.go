package dockerfile

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func TestMakeExecutable(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"start.sh": {Data: []byte("#!/bin/sh\n"), Mode: 0o644}, "app.py": {Data: []byte("x\n"), Mode: 0o644}}
	for name, c := range map[string]struct{ before, after string }{
		"one file":     {"FROM a\ncopy start.sh /srv/\nCMD [\"/srv/start.sh\"]\n", "FROM a\ncopy --chmod=755 start.sh /srv/\nCMD [\"/srv/start.sh\"]\n"},
		"more files":   {"FROM a\nCOPY --chown=b . /srv/\r\nCMD x\n", "FROM a\nCOPY --chown=b . /srv/\r\nCOPY --chown=b --chmod=755 start.sh /srv/start.sh\nCMD x\n"},
		"other mode":   {"FROM a\nCOPY --chmod=644 start.sh /srv/start.sh\n", "FROM a\nCOPY --chmod=755 start.sh /srv/start.sh\n"},
		"taken back":   {"FROM a\nCOPY start.sh /srv/start.sh\nRUN chmod 600 /srv/start.sh\n", ""},
		"not copied":   {"FROM a\nRUN make /srv/start.sh\n", ""},
		"from a stage": {"FROM a AS b\nFROM a\nCOPY --from=b /start.sh /srv/start.sh\n", ""},
	} {
		edited, _, err := MakeExecutable([]byte(c.before), &facts.Dockerfile{File: "Dockerfile"}, files, "/srv/start.sh")
		if (err == nil) != (c.after != "") || err == nil && string(edited) != c.after {
			t.Errorf("%s: got %q, %v, want %q", name, edited, err, c.after)
		}
	}
}

func TestEditStopSignal(t *testing.T) {
	t.Parallel()
	src := "FROM a\nCMD [\"x\"]\n"
	edited, err := Edit([]byte(src), &facts.Dockerfile{File: "Dockerfile"}, finding.FieldStopSignal, "STOPSIGNAL SIGINT")
	if want := strings.Replace(src, "CMD", "STOPSIGNAL SIGINT\nCMD", 1); err != nil || string(edited) != want {
		t.Errorf("got %q, %v, want %q", edited, err, want)
	}
}
