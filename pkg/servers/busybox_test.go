package servers

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/imglint/imglint/pkg/facts"
)

func TestBusyboxIsNotApache(t *testing.T) {
	t.Parallel()
	elf := &fstest.MapFile{Data: []byte("\x7fELF and so on"), Mode: 0o755}
	for name, c := range map[string]struct {
		files fs.FS
		path  string
		want  string
	}{
		"symbolic link":          {fstest.MapFS{"bin/busybox": elf, "usr/sbin/httpd": {Data: []byte("/bin/busybox"), Mode: fs.ModeSymlink}}, "/usr/sbin/httpd", "busybox-httpd"},
		"relative symbolic link": {fstest.MapFS{"bin/busybox": elf, "bin/httpd": {Data: []byte("busybox"), Mode: fs.ModeSymlink}}, "/bin/httpd", "busybox-httpd"},
		"hard link":              {fstest.MapFS{"bin/busybox": elf, "bin/httpd": elf}, "/bin/httpd", "busybox-httpd"},
		"Apache":                 {fstest.MapFS{"usr/local/apache2/bin/httpd": elf}, "/usr/local/apache2/bin/httpd", "apache"},
		"Apache beside busybox": {fstest.MapFS{"bin/busybox": elf, "usr/sbin/httpd": {Data: []byte("\x7fELF, another one"), Mode: 0o755}},
			"/usr/sbin/httpd", "apache"},
		"nothing read": {nil, "/usr/sbin/httpd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words := []facts.Word{{Text: "httpd", Known: true}, {Text: "-f", Known: true}, {Text: "-p", Known: true}, {Text: "8000", Known: true}}
			p := Predict(facts.Launch{
				Argv: []string{"httpd", "-f", "-p", "8000"}, Known: facts.Yes,
				Command: facts.Command{Argv: words}, Final: facts.Program{Path: c.path, Found: facts.Yes, Kind: "elf"},
			}, c.files)
			if p.Server != c.want {
				t.Errorf("server %q, want %q", p.Server, c.want)
			}
			if c.want == "busybox-httpd" && p.Daemonizes != facts.No {
				t.Errorf("httpd -f daemonizes: %q, want no", p.Daemonizes)
			}
		})
	}
}
