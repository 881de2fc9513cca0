package cli

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/run/engine/enginetest"
)

const engineSocket = "/var/run/docker.sock"

// refusing is the engine behind a socket that refuses to create containers
// whose description has one of the texts in it.
func refusing(t *testing.T, texts ...string) string {
	t.Helper()
	if _, err := os.Stat(engineSocket); err != nil {
		t.Skipf("needs the engine's socket: %v", err)
	}
	return enginetest.Refusing(t, engineSocket, func(q enginetest.Request) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(q.Body, []byte(text)) })
	})
}

// TestVerdictsOfEveryWay: whatever the engine refuses, a verdict is right or
// unknown.
func TestVerdictsOfEveryWay(t *testing.T) {
	good := build(t, "good", serving...)
	loopback := build(t, "loopback", "EXPOSE 8000", `CMD ["httpd", "-f", "-p", "127.0.0.1:8000"]`)
	crash := build(t, "crash", "EXPOSE 8000", `CMD ["sh", "-c", "echo no settings; exit 7"]`)
	daemon := build(t, "daemon", "EXPOSE 8000", `CMD ["httpd", "-p", "8000"]`)
	const (
		entrypoint = `"Entrypoint":["/.imglint/probe"`
		joining    = `"NetworkMode":"container:`
	)
	tests := []struct {
		name   string
		refuse []string
		way    string
		ref    string
		status int
		want   []string
		never  string
	}{
		{"alone: good", []string{joining}, "on a network of the engine", good, ExitClean, []string{"PASS", "answered 404"}, "FAIL"},
		{"alone: loopback", []string{joining}, "on a network of the engine", loopback, ExitFindings, []string{"[loopback-bind]"}, "PASS"},
		{"alone: crash", []string{joining}, "on a network of the engine", crash, ExitFindings, []string{"exited with code 7", "no settings"}, "PASS"},
		{"alone: daemon", []string{joining}, "on a network of the engine", daemon, ExitFindings, []string{"[daemonizes]"}, "PASS"},
		{"sidecar: good", []string{entrypoint}, "joined it after its start", good, ExitClean, []string{"PASS", "answered 404", "not checked"}, "FAIL"},
		{"sidecar: loopback", []string{entrypoint}, "joined it after its start", loopback, ExitFindings, []string{"[loopback-bind]"}, "PASS"},
		{"sidecar: crash", []string{entrypoint}, "", crash, ExitFindings, []string{"exited with code 7", "no settings"}, "PASS"},
		{"sidecar: daemon", []string{entrypoint}, "", daemon, ExitFindings, []string{"[exits-at-once]", "exited with code 0", "not checked: what it leaves in the background"}, "PASS"},
		{"logs: good", []string{entrypoint, joining}, "", good, ExitUnable, []string{"UNKNOWN", "whether it listens and answers could not be seen"}, "PASS"},
		{"logs: crash", []string{entrypoint, joining}, "by its log and its end", crash, ExitFindings, []string{"exited with code 7", "no settings"}, "PASS"},
		{"logs: daemon", []string{entrypoint, joining}, "by its log and its end", daemon, ExitFindings, []string{"[exits-at-once]", "not checked: what it leaves in the background"}, "PASS"},
	}
	before := left(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, out, errs := call(t, nil, "-v", "--runner", "docker", "--no-prove", "--boot-window", "3s", "--host", refusing(t, test.refuse...), test.ref)
			if status != test.status || errs != "" || strings.Contains(out, test.never) {
				t.Errorf("exit status %d, want %d and no %q; said %q", status, test.status, test.never, errs)
			}
			for _, want := range append(test.want, test.way) {
				if !strings.Contains(out, want) {
					t.Errorf("want %q", want)
				}
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
	if now := left(t); len(now) > len(before) {
		t.Errorf("left %v, before there was %v", now, before)
	}
}
