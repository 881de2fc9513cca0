package local

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// TestAsUser runs this package's tests as a user without privileges, once with
// a range of subordinate users and once without.
func TestAsUser(t *testing.T) {
	if os.Getenv(programsEnv) != "" {
		return // this is that run
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, tt := range []struct{ name, subordinates, proof string }{
		{"alone", "", "--- PASS: TestObserveServes/not_as_root/one_user"},
		{"with others", "65534:200000:65536\n", "--- PASS: TestObserveOwners/own_users"},
	} {
		t.Run(tt.name, func(t *testing.T) { asUser(t, tt.subordinates, tt.proof) })
	}
}

// asRoot shows a file of subordinate users to what it executes as a user.
const asRoot = `mount --make-rprivate / && mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$2" -test.v -test.run 'Observe|Killed'`

func asUser(t *testing.T, subordinates, proof string) {
	dir := programs(t)
	temp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(temp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "subordinates")
	if err := os.WriteFile(file, []byte(subordinates), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", asRoot, "sh", file, filepath.Join(dir, "test"))
	cmd.Dir = temp
	cmd.Env = []string{programsEnv + "=" + dir, "TMPDIR=" + temp, "HOME=" + temp, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	for line := range bytes.Lines(out) {
		if s := string(line); strings.Contains(s, "SKIP") || strings.Contains(s, "FAIL") || err != nil {
			t.Log(strings.TrimSpace(s))
		}
	}
	if err != nil {
		t.Error(err)
	}
	if !bytes.Contains(out, []byte(proof)) {
		t.Errorf("not run as wanted: %s", out)
	}
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %q, %v", left, err)
	}
}

// programs puts this test and its programs where every user can execute them.
func programs(t *testing.T) string {
	dir, err := os.MkdirTemp("", "imglint-test-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	app, err1 := testProgram()
	probe, err2 := testProbe()
	attack, err3 := hostile()
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"test": self, "app": app, "probe": probe, "hostile": attack} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
