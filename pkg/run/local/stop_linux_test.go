package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// teller hands events to a test.
type teller struct{ events chan facts.Event }

func (w teller) Event(e facts.Event) {
	select {
	case w.events <- e:
	default:
	}
}
func (w teller) Log(facts.LogLine) {}

func TestObserveCancelled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *Runner) {
		im := open(t, r, facts.Config{})
		mark := "sleep-" + strings.ReplaceAll(t.Name(), "/", "-")
		ctx, cancel := context.WithCancel(t.Context())
		w := teller{make(chan facts.Event, 100)}
		go func() {
			<-w.events
			cancel()
		}()
		seen, err := im.Observe(ctx, runSpec("/app", "sleep", mark), w)
		if errors.Is(err, ErrUnsupported) {
			t.Skip(err)
		}
		if !errors.Is(err, context.Canceled) || seen.Stopped != facts.StopInterrupted {
			t.Errorf("stopped %q, error %v", seen.Stopped, err)
		}
		nothingLeft(t, mark)
	})
}

// nothingLeft checks that no process with a word in its command line, no
// cgroup of this process and no half-made directory is left.
func nothingLeft(t *testing.T, mark string) {
	t.Helper()
	if pids := running(t, mark); len(pids) > 0 {
		t.Errorf("still running: %v", pids)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), "imglint-test-cache") {
		t.Errorf("mounts left: %v", err)
	}
}

func running(t *testing.T, mark string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), mark) {
			pids = append(pids, filepath.Dir(file))
		}
	}
	return pids
}

const victimEnv = "IMGLINT_TEST_VICTIM"

// TestVictim is not a test: it is the imglint that TestKilled kills.
func TestVictim(t *testing.T) {
	mark := os.Getenv(victimEnv)
	if mark == "" {
		t.Skip("only for TestKilled")
	}
	im := open(t, newRunner(t, func(*Options) {}), facts.Config{})
	spec := runSpec("/app", "sleep", mark)
	spec.Target.BootWindow = time.Minute
	w := teller{make(chan facts.Event, 100)}
	go func() {
		<-w.events
		fmt.Println("RUNNING")
	}()
	_, err := im.Observe(t.Context(), spec, w)
	t.Log(err)
}

// The kernel ends everything inside when imglint is killed, and the next run
// removes what lies about.
func TestKilled(t *testing.T) {
	if os.Getenv(victimEnv) != "" {
		return
	}
	dir := t.TempDir()
	mark := fmt.Sprintf("victim-%d", os.Getpid())
	cmd := exec.Command("/proc/self/exe", "-test.run", "^TestVictim$")
	cmd.Env = append(os.Environ(), victimEnv+"="+mark, "TMPDIR="+dir)
	if os.Getenv(programsEnv) == "" {
		cmd.Env = append(cmd.Env, "HOME="+os.Getenv("HOME"))
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "RUNNING" {
		if strings.Contains(lines.Text(), ErrUnsupported.Error()) {
			t.Skip(lines.Text())
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for len(running(t, mark)) == 0 && time.Now().Before(deadline) {
		<-time.After(5 * time.Millisecond) // it is told of before its arguments are there
	}
	if len(running(t, mark)) == 0 {
		t.Error("the victim runs nothing")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out) // ends when no process holds it
	_ = cmd.Wait()
	deadline = time.Now().Add(5 * time.Second)
	for len(running(t, mark)) > 0 && time.Now().Before(deadline) {
		<-time.After(5 * time.Millisecond)
	}
	nothingLeft(t, mark)
	newRunner(t, func(*Options) {})
	prefix := fmt.Sprintf("%s%d-", cgroupPrefix, cmd.Process.Pid)
	for len(cgroups(prefix)) > 0 && time.Now().Before(deadline) {
		findHierarchy().sweep() // one is busy until its processes are gone altogether
	}
	if left := cgroups(prefix); len(left) > 0 {
		t.Errorf("cgroups left: %q", left)
	}
}

// cgroups finds those with a prefix at any depth: of version 2 they are below
// a session's slice.
func cgroups(prefix string) (found []string) {
	_ = filepath.WalkDir(cgroupRoot, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
			found = append(found, name)
		}
		return nil // others come and go meanwhile
	})
	return found
}
