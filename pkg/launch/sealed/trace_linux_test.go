package sealed_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
)

// touches are the system calls by which a process reaches its host; memory,
// threads, time and the two pipes are its own.
const touches = "%file,%network,execve,execveat,kill,tkill,ptrace,mount,unshare,setns,fork,vfork,bpf,prlimit64"

var (
	sealedOff = regexp.MustCompile(`prlimit64\(0, RLIMIT_CORE, \{`)
	harmlessC = regexp.MustCompile(`prlimit64\(|tgkill|\+\+\+|---|resumed>|rt_sigreturn|\bSIGURG\b`)
)

// TestTrace watches a child with strace while it interprets a script that asks
// for everything outside: once its limits are set, it asks the kernel for
// nothing but its pipes.
func TestTrace(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "trace")
	traced := filepath.Join(dir, "traced")
	script := fmt.Sprintf("#!/bin/sh\nexec %s -f -q -o %s -e trace=%s %s \"$@\"\n", strace, log, touches, program)
	if err := os.WriteFile(traced, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	child := sealed.Child{Program: traced}
	files := fstest.MapFS{"etc/passwd": {Data: []byte("root:x:0:0::/root:/bin/sh\n")}, "bin/sh": {Mode: 0o755}}
	_, err = child.Interpret(launch.Script{Name: "/ep.sh", Text: hostile, Dir: "/", Env: []string{"PATH=/bin"}}, files)
	child.Close()
	if err != nil && strings.Contains(err.Error(), "ptrace") {
		t.Skip(err)
	}
	text, readErr := os.ReadFile(log)
	if readErr != nil {
		t.Skipf("strace wrote nothing: %v, %v", readErr, err)
	}
	lines := strings.Split(string(text), "\n")
	began := -1
	for i, line := range lines {
		if sealedOff.MatchString(line) {
			began = i
		}
	}
	if began < 0 {
		t.Skipf("the child was not traced as far as its limits: %v", err)
	}
	for _, line := range lines[began+1:] {
		if line != "" && !harmlessC.MatchString(line) {
			t.Errorf("the child asked the kernel: %s", line)
		}
	}
	t.Logf("%d calls before the limits, %d after; %v", began, len(lines)-began-2, err)
}
