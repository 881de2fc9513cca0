package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// memoryBound is the most memory that imglint itself may take, whatever an
// image does; a good image takes 40 MiB.
const memoryBound = 128 << 20

// process runs imglint as a process of its own, with a deadline.
func process(t *testing.T, args ...string) (status int, out string, peak int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asImglint+"=1")
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Run(); ctx.Err() != nil {
		t.Fatalf("imglint %s: %v after two minutes", strings.Join(args, " "), err)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = int64(usage.Maxrss) << 10 // Linux counts in KiB
	}
	return cmd.ProcessState.ExitCode(), b.String(), peak
}

// buildHostile makes an image with the attacking program in it.
func buildHostile(t *testing.T) string {
	t.Helper()
	build(t, "good", serving...) // skips without an engine
	dir := t.TempDir()
	compile := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "hostile"), "./testdata/hostile")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if text, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("build hostile: %v\n%s", err, text)
	}
	text := "FROM " + base + "\nCOPY hostile /hostile\nEXPOSE 8000\nENTRYPOINT [\"/hostile\"]\n" +
		"RUN ln -s /hostile /l0 && for i in $(seq 30); do ln -s /l$((i-1)) /l$i; done" +
		" && ln -s /round2 /round1 && ln -s /round1 /round2\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const ref = "imglint-fixtures/cli:hostile"
	if _, err := docker(t, "build", "--quiet", "--label", "dev.imglint.fixture=cli", "--tag", ref, dir); err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestHostileImages: whatever an image does, imglint says what is so, within
// its memory, and leaves nothing.
func TestHostileImages(t *testing.T) {
	ref := buildHostile(t)
	before := left(t)
	short := []string{"--boot-window", "2s", "--memory", "256m", "--no-prove"}
	tests := []struct {
		name   string
		args   []string
		status []int
		want   []string
		never  string
	}{
		{"fork bomb", []string{ref, "--", "forks"}, []int{ExitFindings, ExitUnable}, nil, "PASS"},
		{"log flood", []string{ref, "--", "flood"}, []int{ExitFindings}, []string{"[never-listens]"}, "PASS"},
		{"memory hog", []string{ref, "--", "memory"}, []int{ExitFindings}, []string{"[out-of-memory]"}, "PASS"},
		{"thousands of listeners", []string{ref, "--", "listeners"}, []int{ExitFindings}, []string{"[slow-response]"}, "PASS"},
		{"forged frames", []string{ref, "--", "forge"}, []int{ExitFindings}, []string{"[never-listens]"}, "PASS"},
		{"endless headers", []string{ref, "--", "headers"}, []int{ExitFindings}, []string{"[not-http]", "HTTP headers without an end"}, "PASS"},
		{"endless body", []string{ref, "--", "body"}, []int{ExitClean}, []string{"PASS", "port 8000 answered 200"}, "FAIL"},
		{"processes that come and go", []string{ref, "--", "churn"}, []int{ExitClean}, []string{"port 8000 answered 200"}, "FAIL"},
		{"thirty links to the entrypoint", []string{"--entrypoint", "/l30", ref, "--", "body"}, []int{ExitClean}, []string{"PASS"}, "FAIL"},
		{"links in a circle", []string{"--entrypoint", "/round1", ref}, []int{ExitFindings}, []string{"error:", "/round1"}, "PASS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			began := time.Now()
			status, out, peak := process(t, append(short[:len(short):len(short)], test.args...)...)
			t.Logf("exit status %d, %d MiB, %s", status, peak>>20, time.Since(began).Round(100*time.Millisecond))
			if !slices.Contains(test.status, status) || test.never != "" && strings.Contains(out, test.never) {
				t.Errorf("exit status %d, want one of %v and no %q; printed\n%.3000s", status, test.status, test.never, out)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("want %q in\n%.3000s", want, out)
				}
			}
			if peak > memoryBound {
				t.Errorf("took %d MiB, the bound is %d", peak>>20, memoryBound>>20)
			}
			if now := left(t); len(now) > len(before) {
				t.Errorf("left %v, before there was %v", now, before)
			}
		})
	}
}
