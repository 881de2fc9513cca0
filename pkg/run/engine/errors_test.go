package engine

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

func TestRefusal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want bool
	}{
		{"an unknown user", "unable to find user web: no matching entries in passwd file", true},
		{"a working directory that is a file", "Cannot mkdir: /etc/passwd is not a directory", true},
		{"a volume over a file", `cannot mount volume over existing file, file exists /var/lib/docker/overlay2/x/merged/data`, true},
		{"runc and the user's directory", `OCI runtime create failed: runc create failed: unable to start container process: chdir to cwd ("/root") set in config.json failed: permission denied`, true},
		{"crun", "crun: mkdir `/data`: Read-only file system: OCI runtime error", true},
		{"the probe is not where it was put", `OCI runtime create failed: exec: "/.imglint/probe": stat /.imglint/probe: no such file or directory`, false},
		{"the engine's disk", "mkdir /var/lib/docker/overlay2/x: no space left on device", false},
		{"the engine's control groups", "OCI runtime create failed: error setting cgroup config for procHooks process", false},
		{"an option of ours", "Minimum memory limit allowed is 6MB", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("create: %w", &Error{Kind: KindRefused, Text: tt.text})
			words, ok := refusal(err)
			if ok != tt.want || ok && words != tt.text {
				t.Errorf("got %q %v, want %v", words, ok, tt.want)
			}
		})
	}
	if _, ok := refusal(&Error{Kind: KindHung, Text: "not a directory"}); ok {
		t.Error("an engine that hangs is not the image's fault")
	}
}

// Only api.go may call the Docker client, and only there is every call made
// under its deadline.
func TestClientIsOnlyCalledUnderDeadlines(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{
		"api.go":         true,
		"api_run.go":     true,
		"api_image.go":   true,
		"api_podman.go":  true,
		"api_version.go": true,
		"host.go":        true, // makes it
		"errors.go":      true, // knows its errors
	}
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || allowed[name] {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if i.Path.Value == `"github.com/docker/docker/client"` {
				t.Errorf("%s imports the Docker client: put the call into api.go", name)
			}
		}
	}
	for _, line := range strings.Split(apiSource(t), "\n") {
		if strings.Contains(line, "a.client.") {
			t.Errorf("api.go uses the client outside call and stream: %s", strings.TrimSpace(line))
		}
	}
}

// An operation without an entry would have no time at all.
func TestEveryOperationHasADeadline(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, line := range strings.Split(apiSource(t), "\n") {
		_, rest, ok := strings.Cut(line, ", a, \"")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, `"`)
		used[name] = true
		if deadlines[op(name)] == 0 {
			t.Errorf("%q has no deadline", name)
		}
	}
	if len(used) != len(deadlines) {
		t.Errorf("%d operations and %d deadlines", len(used), len(deadlines))
	}
}

// apiSource is the text of the files that may call the client.
func apiSource(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"api.go", "api_run.go", "api_image.go", "api_podman.go", "api_version.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
