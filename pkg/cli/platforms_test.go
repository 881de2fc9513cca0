package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/platform"
)

const ownConfig = `platform: ours
platforms:
  ours:
    extends: aptible
    title: Our cluster
    port: 9000
    path: /ready
    says: "0/1 ready"
  heroku: {boot-window: 90s}
`

// TestOwnPlatforms: a config file's platforms are listed, explained and judged by.
func TestOwnPlatforms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	env := map[string]string{"IMGLINT_CONFIG": write("config.yaml", ownConfig)}
	dockerfile := write("Dockerfile", "FROM scratch\nEXPOSE 80\nCMD [\"/app\"]\n")
	for name, c := range map[string]struct {
		args   []string
		status int
		want   []string
	}{
		"listed":   {[]string{"platforms"}, ExitClean, []string{"ours ", "Our cluster  (", "config.yaml:3, on top of aptible", "Heroku  (", "config.yaml:9"}},
		"its own":  {[]string{"platforms", "ours"}, ExitClean, []string{"Our cluster (ours)", "9000  [stated: config]", "/ready  [stated: config]", "containers  [documented: checks]"}},
		"changed":  {[]string{"platforms", "heroku"}, ExitClean, []string{"1m30s  [stated: config]"}},
		"judged":   {[]string{"--host", noEngine, dockerfile}, ExitFindings, []string{"ours: GET http://<container>:9000/ready", "Our cluster will say: 0/1 ready"}},
		"with all": {[]string{"--host", noEngine, "--platform", "all", dockerfile}, ExitFindings, []string{"\nours ", "9000 /ready any status"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, errs := call(t, env, c.args...)
			if status != c.status {
				t.Errorf("status %d, want %d; %s", status, c.status, errs)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("out %q, want %q in it", out, want)
				}
			}
		})
	}
}

// TestOwnPlatformKeys: what a config file may say is what a platform can take.
func TestOwnPlatformKeys(t *testing.T) {
	t.Parallel()
	examples := map[string]string{
		"port": "80", "port-from": "first", "ask": "http", "path": "/", "redirects": "all", "header": "'A: b'", "status": "any",
		"try-timeout": "1s", "boot-window": "1s", "grace": "1s", "architectures": "arm64", "procfile": "/Procfile", "env": "{A: b}",
		"host": "h", "says": "no",
	}
	for _, key := range platform.ChangeKeys() {
		value, ok := examples[key]
		if !ok {
			value = "true"
		}
		if _, err := config.Parse("c", []byte("platforms: {fly: {"+key+": "+value+"}}\n"), knownNames()); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
