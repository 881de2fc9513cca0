package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		args            []string
		dash            int
		images, command []string
	}{
		{"no dashes", []string{"a", "b"}, -1, []string{"a", "b"}, nil},
		{"words", []string{"a", "sh", "-c"}, 1, []string{"a"}, []string{"sh", "-c"}},
		{"nothing behind", []string{"a"}, 1, []string{"a"}, nil},
		{"nothing before", []string{"sh"}, 0, []string{}, []string{"sh"}},
	}
	for _, test := range tests {
		images, command := words(test.args, test.dash)
		if diff := cmp.Diff([][]string{test.images, test.command}, [][]string{images, command}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestOverrides: what is typed runs as docker run would run it, and a finding
// about it points at what was typed.
func TestOverrides(t *testing.T) {
	ref := build(t, "override", "EXPOSE 8000", `ENTRYPOINT ["sh", "-c"]`, `CMD ["exec httpd -f -p 8000"]`)
	tests := []struct {
		name   string
		args   []string
		status int
		want   []string
	}{
		{"the image's own", []string{ref}, ExitClean, []string{"PASS"}},
		{"words replace CMD", []string{ref, "--", "echo other words; exit 3"}, ExitFindings,
			[]string{"exited with code 3", "other words", "sh -c 'echo other words; exit 3'"}},
		{"an entrypoint drops CMD", []string{"--entrypoint", "env", ref}, ExitFindings, []string{"| --entrypoint env"}},
		{"an entrypoint with words", []string{"--entrypoint", "httpd", ref, "--", "-f", "-p", "8000"}, ExitClean, []string{"PASS"}},
		{"an empty entrypoint", []string{"--entrypoint", "", ref, "--", "httpd", "-f", "-p", "8000"}, ExitClean, []string{"PASS"}},
		{"an empty entrypoint alone", []string{"--entrypoint=", ref}, ExitFindings, []string{"[no-command]"}},
		{"a fix is typed too", []string{ref, "--", "exec httpd -f -p 127.0.0.1:8000"}, ExitFindings,
			[]string{"[loopback-bind]", "-- 'exec httpd -f -p 8000'", "proved"}},
	}
	for _, test := range tests {
		status, out, errs := call(t, nil, test.args...)
		if status != test.status || strings.Contains(out, "Dockerfile:") {
			t.Errorf("%s: exit status %d, want %d and no Dockerfile line; printed %q, said %q", test.name, status, test.status, out, errs)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: printed\n%s\nwant %q in it", test.name, out, want)
			}
		}
	}
}
