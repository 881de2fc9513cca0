package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// memoryBound is the most memory that imglint itself may take, whatever an
// image does; a good image takes 40 MiB.
const memoryBound = 128 << 20

// process runs imglint as a process of its own, with a deadline, and wants
// nothing of it to be left on the engine.
func process(t *testing.T, m *machine, args ...string) (status int, out string, peak int64) {
	t.Helper()
	cmd, b := m.imglint(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	ended := make(chan struct{})
	highest := make(chan int64)
	go func() { highest <- peakOf(cmd.Process.Pid, ended) }()
	_ = cmd.Wait() // its status is looked at
	close(ended)
	if peak = <-highest; !stuck.Stop() {
		t.Fatalf("imglint %s did not end within two minutes", strings.Join(args, " "))
	}
	leftBy(t, cmd.Process.Pid)
	return cmd.ProcessState.ExitCode(), b.String(), peak
}

// peakOf is the most memory that a process itself took; what the kernel tells
// at its end is of its children too, one of which is the image's program.
func peakOf(pid int, ended <-chan struct{}) (peak int64) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if _, after, ok := strings.Cut(string(text), "\nVmHWM:"); ok {
			var kib int64
			if _, err := fmt.Sscan(after, &kib); err == nil {
				peak = max(peak, kib<<10)
			}
		}
		select {
		case <-tick.C:
		case <-ended:
			return peak
		}
	}
}

// leftBy wants nothing of a process to be left on the engine, which others use too.
func leftBy(t *testing.T, pid int) {
	t.Helper()
	mine := fmt.Sprintf("label=dev.imglint.pid=%d", pid)
	for _, list := range [][]string{{"ps", "--all", "--quiet"}, {"volume", "ls", "--quiet"}, {"network", "ls", "--quiet"}} {
		out, err := docker(t, append(list, "--filter", mine)...)
		if err != nil || out != "" {
			t.Errorf("docker %s: left %q, %v", list[0], out, err)
		}
	}
}

// hostileImage makes an image with the attacking program in it, also as a file
// that makes its caller root, and its further lines.
func hostileImage(t *testing.T, name string, lines ...string) string {
	t.Helper()
	build(t, "good", serving...) // skips without an engine
	dir := t.TempDir()
	compile := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "hostile"), "./testdata/hostile")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build hostile: %v\n%s", err, text)
	}
	text := "FROM " + base + "\nCOPY hostile /hostile\nEXPOSE 8000\nENTRYPOINT [\"/hostile\"]\n" +
		"RUN cp /hostile /setuid && chmod 4755 /setuid" +
		" && ln -s /hostile /l0 && for i in $(seq 30); do ln -s /l$((i-1)) /l$i; done" +
		" && ln -s /round2 /round1 && ln -s /round1 /round2\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := "imglint-fixtures/cli:" + name
	if _, err := docker(t, "build", "--quiet", "--label", "dev.imglint.fixture=cli", "--tag", ref, dir); err != nil {
		t.Fatal(err)
	}
	return ref
}

// attack is one thing that an image does to whoever runs it, and what imglint
// says then.
type attack struct {
	name   string
	args   []string
	status []int
	want   []string
	never  string
	local  *attack // what differs without an engine
	busy   bool    // it takes all of a CPU
}

var (
	passes = []int{ExitClean}
	fails  = []int{ExitFindings}
	unable = []int{ExitUnable}
)

func attacks(t *testing.T) []attack {
	ref := hostileImage(t, "hostile")
	check := func(what string) string {
		return hostileImage(t, "hostile-check-"+what, `HEALTHCHECK CMD ["/hostile","`+what+`"]`)
	}
	const unchecked = "not checked: a part of the run: the image's HEALTHCHECK could not be tried: it did not end within 10s"
	return []attack{
		{name: "fork bomb", busy: true, args: []string{ref, "--", "forks"}, status: []int{ExitFindings, ExitUnable}, never: "PASS"},
		{name: "log flood", busy: true, args: []string{ref, "--", "flood"}, status: fails, want: []string{"[never-listens]"}, never: "PASS"},
		{name: "memory hog", busy: true, args: []string{ref, "--", "memory"}, status: fails, want: []string{"[out-of-memory]"}, never: "PASS"},
		{name: "thousands of listeners", busy: true, args: []string{ref, "--", "listeners"}, status: fails, want: []string{"[slow-response]"}, never: "PASS"},
		{name: "forged frames", args: []string{ref, "--", "forge"}, status: fails, want: []string{"[never-listens]"}, never: "PASS"},
		{name: "endless headers", args: []string{ref, "--", "headers"}, status: fails, want: []string{"[not-http]", "HTTP headers without an end"}, never: "PASS"},
		{name: "endless body", args: []string{ref, "--", "body"}, status: passes, want: []string{"PASS", "port 8000 answered 200"}, never: "FAIL"},
		{name: "an answer a byte at a time", args: []string{ref, "--", "slow"}, status: fails, want: []string{"[slow-response]"}, never: "PASS"},
		{name: "processes that come and go", busy: true, args: []string{ref, "--", "churn"}, status: passes, want: []string{"port 8000 answered 200"}, never: "FAIL"},
		{name: "a process that executes itself", busy: true, args: []string{ref, "--", "execs"}, status: fails, want: []string{"[never-listens]"}, never: "PASS"},
		{name: "a command line that changes", busy: true, args: []string{ref, "--", "renames"}, status: passes, want: []string{"PASS"}, never: "FAIL"},
		{name: "a megabyte of arguments", args: []string{ref, "--", "argv"}, status: passes, want: []string{"PASS"}, never: "FAIL"},
		{name: "a port that opens and closes", busy: true, args: []string{ref, "--", "flap"}, status: []int{ExitFindings, ExitUnable}, never: "PASS"},
		{name: "a thousand unix sockets", args: []string{ref, "--", "unix"}, status: fails, want: []string{"listens on a unix socket only", " more), which the platform cannot reach"}, never: "PASS"},
		{name: "kills everything", args: []string{ref, "--", "kill"}, status: unable, want: []string{"UNKNOWN", "fell silent", "kill -9 -1"}, never: "[never-listens]"},
		{name: "a file that makes root", args: []string{"--user", "1000", "--entrypoint", "/setuid", ref, "--", "setuid"}, status: passes, want: []string{"PASS"}, never: "root"},
		{name: "writes outside", args: []string{ref, "--", "outside"}, status: passes, want: []string{"PASS"}, never: "wrote"},
		{name: "full disks", busy: true, args: []string{ref, "--", "fill"}, status: passes, want: []string{"PASS"}, never: "FAIL",
			local: &attack{status: unable, want: []string{"memory limit of 256 MiB", "were files that it wrote"}, never: "FAIL"}},
		{name: "forks when it is stopped", args: []string{ref, "--", "stop"}, status: passes, want: []string{"PASS"}, never: "FAIL"},
		{name: "a check that floods", busy: true, args: []string{check("flood"), "--", "body"}, status: passes, want: []string{"PASS", unchecked}, never: "FAIL"},
		{name: "a check that never ends", args: []string{check("sleep"), "--", "body"}, status: passes, want: []string{"PASS", unchecked}, never: "FAIL"},
		{name: "a check that leaves processes", args: []string{check("away"), "--", "body"}, status: passes, want: []string{"PASS"}, never: "not checked"},
		{name: "thirty links to the entrypoint", args: []string{"--entrypoint", "/l30", ref, "--", "body"}, status: passes, want: []string{"PASS"}, never: "FAIL"},
		{name: "links in a circle", args: []string{"--entrypoint", "/round1", ref}, status: fails, want: []string{"error:", "/round1"}, never: "PASS"},
	}
}

// TestHostileImages: whatever an image does, imglint says what is so, within
// its memory, and leaves nothing.
func TestHostileImages(t *testing.T) {
	all := attacks(t)
	here := machineOf(t)
	for _, runner := range []string{runnerDocker, runnerLocal} {
		here.warm(t, "--runner", runner, build(t, "good", serving...))
	}
	// Most of the time is for windows to end, so that many are tried at once;
	// one that takes all of a CPU is tried with both runners alone.
	var calm []attack
	for _, a := range all {
		if !a.busy {
			calm = append(calm, a)
			continue
		}
		t.Run(a.name, func(t *testing.T) { a.both(t, here) })
		here.unchanged(t, a.name)
	}
	t.Run("calm", func(t *testing.T) {
		for _, a := range calm {
			t.Run(a.name, func(t *testing.T) {
				t.Parallel()
				a.both(t, here)
			})
		}
	})
	here.unchanged(t, "all the others")
}

// both tries it with both runners at once.
func (a attack) both(t *testing.T, here *machine) {
	for _, runner := range []string{runnerDocker, runnerLocal} {
		one := a
		if runner == runnerLocal && a.local != nil {
			one.status, one.want, one.never = a.local.status, a.local.want, a.local.never
		}
		t.Run(runner, func(t *testing.T) {
			t.Parallel()
			one.try(t, runner, here)
		})
	}
}

func (a attack) try(t *testing.T, runner string, here *machine) {
	began := time.Now()
	args := []string{"--runner", runner, "--boot-window", "2s", "--memory", "256m", "--no-prove"}
	status, out, peak := process(t, here, append(args, a.args...)...)
	t.Logf("exit status %d, %d MiB, %s", status, peak>>20, time.Since(began).Round(100*time.Millisecond))
	if !slices.Contains(a.status, status) || a.never != "" && strings.Contains(out, a.never) {
		t.Errorf("exit status %d, want one of %v and no %q; printed\n%.3000s", status, a.status, a.never, out)
	}
	for _, want := range a.want {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%.3000s", want, out)
		}
	}
	if peak > memoryBound {
		t.Errorf("took %d MiB, the bound is %d", peak>>20, memoryBound>>20)
	}
}
