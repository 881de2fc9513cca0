package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMatrixStatus: there are more results than images, and each is judged by
// the options of its own image.
func TestMatrixStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	bad := write("bad.Dockerfile", "FROM scratch\nEXPOSE 80\nENTRYPOINT [\"/app\", \"--port\", \"$PORT\"]\n")
	none := write("none.Dockerfile", "FROM scratch\nCMD [\"/app\"]\n")
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"one image":  {[]string{bad}, ExitFindings, "command-not-found"},
		"two images": {[]string{none, bad}, ExitFindings, "no port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--host", noEngine, "--platform", "heroku,aptible,fly"}, c.args...)
			status, out, errs := call(t, nil, args...)
			if status != c.status || !strings.Contains(out, c.want) || errs != "" {
				t.Errorf("status %d, out %q, errs %q; want status %d and %q", status, out, errs, c.status, c.want)
			}
		})
	}
}
