//go:build unix

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPermission: a socket that may not be opened is said so, with what to type.
func TestPermission(t *testing.T) {
	if os.Getuid() != 0 || testing.Short() {
		t.Skip("needs root, to become somebody without permission")
	}
	if _, err := os.Stat("/var/run/docker.sock"); err != nil {
		t.Skip("needs an engine's socket")
	}
	name := filepath.Join(os.TempDir(), fmt.Sprintf("imglint-permission-%d", os.Getpid()))
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, self, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	cmd := exec.CommandContext(t.Context(), name, "127.0.0.1:1/app:1")
	cmd.Env = []string{asImglint + "=1"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, _ := cmd.CombinedOutput() // the status is looked at below
	if got := cmd.ProcessState.ExitCode(); got != ExitUnable {
		t.Errorf("exit status %d, want %d", got, ExitUnable)
	}
	for _, want := range []string{"permission denied on ", "sudo"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("said %q, want %q in it", out, want)
		}
	}
}
