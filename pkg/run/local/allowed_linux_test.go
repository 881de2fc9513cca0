package local

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/imglint/imglint/pkg/facts"
)

// offEnv says how user namespaces are off for a test that runs as another user.
const offEnv = "IMGLINT_TEST_OFF"

// off are the ways: the shell makes them, and a filter what AppArmor does.
var off = map[string]string{
	"sysctl":   "echo 0 >/proc/sys/user/max_user_namespaces && ",
	"apparmor": "",
}

// TestNotAllowed: a user who may not make namespaces is told what is off and
// what to do, and nothing is said of the image.
func TestNotAllowed(t *testing.T) {
	if how := os.Getenv(offEnv); how != "" {
		notAllowedHere(t, how)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	for how, first := range off {
		t.Run(how, func(t *testing.T) {
			dir := programs(t)
			temp := filepath.Join(dir, "tmp")
			if err := errors.Join(os.Mkdir(temp, 0o700), os.Chown(temp, nobody, nobody)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", first+
				`exec setpriv --reuid 65534 --regid 65534 --clear-groups "$1" -test.v -test.run '^TestNotAllowed$'`, "sh", filepath.Join(dir, "test"))
			cmd.Dir = temp
			cmd.Env = []string{programsEnv + "=" + dir, offEnv + "=" + how, "TMPDIR=" + temp, "HOME=" + temp, "PATH=" + os.Getenv("PATH")}
			// The setting of a user namespace is for what is in it: the machine's stays.
			all := []syscall.SysProcIDMap{{Size: leastIDs + 1}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: all, GidMappings: all, GidMappingsEnableSetgroups: true}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func notAllowedHere(t *testing.T, how string) {
	want := "run imglint as root"
	if how == "sysctl" {
		want = "user namespaces are switched off (user.max_user_namespaces is 0: make namespaces: no space left on device); " +
			"run imglint as root, use an engine, or type `sysctl -w user.max_user_namespaces=10000` as root"
	} else {
		armor(t)
	}
	if how != "sysctl" && inContainer(containerSigns) {
		want = "imglint runs in a container here"
	}
	im := open(t, newRunner(t, func(*Options) {}), facts.Config{})
	seen, err := im.Observe(t.Context(), runSpec("/app", "exit", "3"), nil)
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if seen.Exit != nil {
		t.Errorf("exit %+v of what did not run", seen.Exit)
	}
}

// armor lets this process make user namespaces that give no rights, as Ubuntu
// 24.04 does for programs without a profile of AppArmor.
func armor(t *testing.T) {
	t.Helper()
	const load, equal, set, answer = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ, unix.BPF_JMP | unix.BPF_JSET, unix.BPF_RET
	refuse := func(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }
	filter := []unix.SockFilter{
		{Code: load, K: 0},
		{Code: equal, K: unix.SYS_MOUNT, Jf: 1},
		{Code: answer, K: refuse(unix.EACCES)},
		{Code: equal, K: unix.SYS_CLONE3, Jf: 1},
		{Code: answer, K: refuse(unix.ENOSYS)},
		{Code: equal, K: unix.SYS_CLONE, Jf: 4},
		{Code: load, K: 16},
		{Code: set, K: unix.CLONE_NEWUSER, Jt: 2},
		{Code: set, K: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Jf: 1},
		{Code: answer, K: refuse(unix.EPERM)},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	const everyThread = unix.SECCOMP_FILTER_FLAG_TSYNC
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, everyThread, uintptr(unsafe.Pointer(&program))); errno != 0 {
		t.Fatal(errno)
	}
}

// TestMapperFails: a newuidmap that refuses is told, and nothing waits for the
// container that did not come to be.
func TestMapperFails(t *testing.T) {
	r := newRunner(t, func(*Options) {})
	r.users = mapping{kind: many, uids: span{200000, 65536}, gids: span{200000, 65536}}
	im := open(t, r, facts.Config{})
	if _, err := testProbe(); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	dir := t.TempDir()
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if err := os.WriteFile(filepath.Join(dir, helper), []byte("#!/bin/sh\necho no such range >&2\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+path)
	ended := make(chan error, 1)
	go func() {
		_, err := im.Observe(t.Context(), runSpec("/app", "exit", "3"), nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "no such range") && !strings.Contains(err.Error(), "make namespaces") {
			t.Errorf("%v, want what newuidmap said", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for a container that is none")
	}
}

// TestSwitches: each setting that is off is named with the command that
// switches it on.
func TestSwitches(t *testing.T) {
	t.Parallel()
	for _, s := range switches {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, strings.ReplaceAll(s.name, ".", "/"))
			for value, told := range map[string]bool{s.off: true, s.on: false} {
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(value+"\n"), 0o644)); err != nil {
					t.Fatal(err)
				}
				err := notAllowed(dir, "it failed")
				if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "it failed") {
					t.Error(err)
				}
				if strings.Contains(err.Error(), s.says) != told || strings.Contains(err.Error(), "sysctl -w "+s.name+"="+s.on) != told {
					t.Errorf("with %s: %v", value, err)
				}
			}
		})
	}
}
