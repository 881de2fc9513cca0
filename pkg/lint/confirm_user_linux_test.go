package lint

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// userSlice is what a user without privileges is held to in every run of the
// tests. true: one user alone cannot tell, and has to say so.
var userSlice = map[string]bool{
	"command-not-executable/not-for-this-user": false,
	"daemonizes/bad":                       false,
	"daemonizes/good":                      true, // nginx, whose workers are another user
	"exits-at-once/bad":                    false,
	"exits-at-once/root-alone-may-read-it": true,
	"loopback-bind/bad":                    false,
	"passes/busybox-httpd":                 false,
	"passes/entrypoint-exec":               false,
	"passes/gosu":                          true,
	"passes/non-root-user":                 false,
	"platform-kubernetes/read-only":        false,
	"privileged-port/bad":                  false,
	"stop-signal-ignored/bad":              false,
}

// nobody is the user's number.
const nobody = 65534

// asNobody shows a file of subordinate users to what it executes as nobody.
const asNobody = `mount --make-rprivate / && mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"`

// TestConfirmAsUser runs images of an archive as a user without privileges,
// once with subordinate users and once without; with -runner user, all fixtures.
// They have to come to what the engine came to, or be inconclusive.
func TestConfirmAsUser(t *testing.T) {
	if testing.Short() {
		t.Skip("runs images")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	if *confirm && *runner != "user" {
		t.Skip("-confirm is about another runner")
	}
	confirming(t, "docker") // builds them
	dir, err := os.MkdirTemp("", "imglint-test-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	layOut(t, dir)
	for _, tt := range []struct {
		name, subordinates string
		needs              string
		one                bool
	}{
		{name: "one user", one: true},
		{name: "with subordinate users", subordinates: "65534:200000:65536\n", needs: "newuidmap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := exec.LookPath(tt.needs); tt.needs != "" && err != nil {
				t.Skipf("needs %s (the package uidmap)", tt.needs)
			}
			passed, skipped := confirmAs(t, dir, tt.subordinates)
			t.Logf("%d as with the engine, not told: %v", len(passed), skipped)
			for name, cannot := range userSlice {
				want := passed
				if cannot && tt.one {
					want = skipped
				}
				if !slices.Contains(want, name) {
					t.Errorf("%s: not as wanted", name)
				}
			}
		})
	}
}

// layOut puts all that the user needs where every user can read it: the
// fixtures, their images, and this test.
func layOut(t *testing.T, dir string) {
	t.Helper()
	var chosen []fixture
	for _, f := range fixtures(t) {
		if _, ok := userSlice[f.name]; ok || *runner == "user" {
			chosen = append(chosen, f)
		}
	}
	save := []string{"save", "--output", filepath.Join(dir, "images.tar")}
	for _, f := range chosen {
		text, err := os.ReadFile(f.path)
		name := filepath.Join(dir, "fixtures", f.name+".txtar")
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, 0o644)); err != nil {
			t.Fatal(err)
		}
		save = append(save, f.build(t))
	}
	if out, err := exec.CommandContext(t.Context(), "docker", save...).CombinedOutput(); err != nil {
		t.Fatalf("docker save: %v\n%s", err, out)
	}
	self, err := os.ReadFile("/proc/self/exe")
	err = errors.Join(err, os.WriteFile(filepath.Join(dir, "test"), self, 0o755), os.MkdirAll(filepath.Join(dir, "pkg", "lint"), 0o755),
		os.Chmod(dir, 0o755), os.Chmod(save[2], 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// confirmed is a line of a test's own output about one fixture.
var confirmed = regexp.MustCompile(`(?m)^ +--- (PASS|SKIP|FAIL): TestConfirm/(\S+) `)

// confirmAs runs TestConfirm as nobody.
func confirmAs(t *testing.T, dir, subordinates string) (passed, skipped []string) {
	t.Helper()
	home, file := filepath.Join(dir, "home"), filepath.Join(dir, "subordinates")
	err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, nobody, nobody), os.WriteFile(file, []byte(subordinates), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	cmd := exec.CommandContext(t.Context(), "sh", "-c", asNobody, "sh", file, filepath.Join(dir, "test"),
		"-test.v", "-test.run", "^TestConfirm$", "-test.timeout", (30 * time.Minute).String(), "-confirm", "-archive", filepath.Join(dir, "images.tar"))
	cmd.Dir = filepath.Join(dir, "pkg", "lint")
	cmd.Env = []string{"TMPDIR=" + home, "HOME=" + home, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "running without an engine is not possible here") {
		t.Skipf("this machine does not let a user make namespaces:\n%s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, m := range confirmed.FindAllStringSubmatch(string(out), -1) {
		switch m[1] {
		case "PASS":
			passed = append(passed, m[2])
		case "SKIP":
			skipped = append(skipped, m[2])
		}
	}
	return passed, skipped
}
