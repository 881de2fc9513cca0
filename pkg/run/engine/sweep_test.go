package engine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// victimEnv makes the test binary a process that runs an image until it is killed.
const victimEnv = "IMGLINT_TEST_VICTIM"

// TestVictim is the body of the process that TestSweepAfterKill kills.
func TestVictim(t *testing.T) {
	ref := os.Getenv(victimEnv)
	if ref == "" {
		t.Skip("only for TestSweepAfterKill")
	}
	e := connect(t)
	im, err := e.Open(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	spec := runSpec("/app", "sleep")
	spec.Target.BootWindow = 10 * time.Minute
	_, _ = im.Observe(t.Context(), spec, announcer{})
}

// announcer tells the other process that the image runs.
type announcer struct{}

func (announcer) Event(e facts.Event) {
	if e.Kind == facts.EventExec {
		fmt.Println("running")
	}
}
func (announcer) Log(facts.LogLine) {}

func TestSweepAfterKill(t *testing.T) {
	t.Parallel()
	e := connect(t, static)
	ref := makeImage(t, e, nil)
	slots <- struct{}{}
	defer func() { <-slots }()
	victim := startVictim(t, ref)
	start, ok := processStart(victim.Process.Pid)
	if !ok {
		t.Skip("the start of a process cannot be told here")
	}
	other := owner{host: e.owner.host, pid: victim.Process.Pid, start: start}

	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if containers, volumes := leftovers(t, e, other); containers != 2 || volumes != 1 {
		t.Errorf("%d containers and %d volumes of a live run after a sweep, want 2 and 1", containers, volumes)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Another process of the machine may have been sweeping at the same time.
	deadline, tick := time.Now().Add(10*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for containers, volumes := leftovers(t, e, other); containers != 0 || volumes != 0; containers, volumes = leftovers(t, e, other) {
		if time.Now().After(deadline) {
			t.Fatalf("%d containers and %d volumes of a killed run after a sweep", containers, volumes)
		}
		<-tick.C
	}
}

// startVictim returns once the other process has an image running.
func startVictim(t *testing.T, ref string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	victim := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestVictim$", "-test.timeout=3m")
	victim.Env = append(os.Environ(), victimEnv+"="+ref)
	victim.Stderr = os.Stderr
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "running" {
			return victim
		}
	}
	t.Fatalf("the other process did not run the image: %v", victim.Wait())
	return nil
}
