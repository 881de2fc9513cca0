package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/imglint/imglint/pkg/facts"
)

// The program finds what it would find without the probe.
func TestInjectChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	argv := []string{"sh", "-c", `ulimit -n; tr '\0' ' ' < /proc/$$/cmdline; exec "$0" ` + roleState + ` "$@"`, testBinary(t, dir), "", "a b"}
	for name, uid := range map[string]int{"root": 0, "user": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := launch(t, setup{Argv: argv, Plain: true, Dir: dir, UID: uid, Soft: 512, Quiet: true})
			if status := plain.end(); status != 0 {
				t.Fatalf("plain: exit %d: %s", status, plain.stderr.String())
			}
			injected := watch(t, RoleInject, testConfig, setup{Dir: dir, UID: uid, Soft: 512, Quiet: true}, argv...)
			if status := injected.end(); status != 0 {
				t.Fatalf("injected: exit %d: %s", status, injected.stderr.String())
			}
			if diff := cmp.Diff(plain.log.String(), injected.log.String()); diff != "" {
				t.Errorf("what the program finds (-plain +injected):\n%s", diff)
			}
			if !strings.HasPrefix(plain.log.String(), "512\n") || !strings.Contains(plain.log.String(), "GREETING=hello") {
				t.Errorf("the program did not report: %q", plain.log.String())
			}
			exec := injected.of(facts.EventExec)
			if len(exec) != 1 || exec[0].T != 0 || exec[0].PID != 1 {
				t.Fatalf("exec: %v", exec)
			}
			if diff := cmp.Diff(argv, exec[0].Argv); diff != "" {
				t.Errorf("argv (-want +got):\n%s", diff)
			}
		})
	}
}

// testBinary copies the test binary to where any user may run it.
func testBinary(t *testing.T, dir string) string {
	t.Helper()
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// The observer may see what others do; the program may not.
func TestInjectDropsPtrace(t *testing.T) {
	t.Parallel()
	w := watch(t, RoleInject, testConfig, setup{}, self(roleState)...)
	if status := w.end(); status != 0 {
		t.Fatalf("exit %d: %s", status, w.stderr.String())
	}
	for line := range strings.Lines(w.log.String()) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !strings.HasPrefix(key, "Cap") {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if set&(1<<19) != 0 {
			t.Errorf("%s holds CAP_SYS_PTRACE: %x", key, set)
		}
		if key == "CapEff" && set&(1<<21) == 0 {
			t.Errorf("CapEff lost more than CAP_SYS_PTRACE: %x", set)
		}
	}
}

func TestInjectCannotExecute(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	crlf := write("crlf", "#!/bin/sh\r\necho\r\n", 0o755)
	plain := write("plain", "echo\n", 0o755)
	noExec := write("noexec", "#!/bin/sh\n", 0o644)
	foreign := write("foreign", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 200), 0o755)
	tests := map[string]struct {
		word, path, errno string
		status            int
	}{
		"not on PATH":       {"no-such-program", "no-such-program", "ENOENT", 127},
		"not there":         {"/no/such/program", "/no/such/program", "ENOENT", 127},
		"CRLF shebang":      {crlf, crlf, "ENOENT", 127},
		"no shebang":        {plain, plain, "ENOEXEC", 126},
		"no execute bit":    {noExec, noExec, "EACCES", 126},
		"directory":         {dir, dir, "EISDIR", 126},
		"no program at all": {foreign, foreign, "ENOEXEC", 126},
		"relative to a dir": {"./crlf", "./crlf", "ENOENT", 127},
	}
	for _, role := range []string{RoleInject, RoleWrap} {
		for name, tt := range tests {
			t.Run(role+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := watch(t, role, testConfig, setup{Dir: dir}, tt.word, "arg")
				if status := w.end(); status != tt.status {
					t.Errorf("exit status %d, want %d: %s", status, tt.status, w.stderr.String())
				}
				got := w.of(facts.EventExecError)
				if len(got) != 1 {
					t.Fatalf("%d exec errors, want 1:\n%s", len(got), w.told())
				}
				want := facts.Event{T: got[0].T, Kind: facts.EventExecError, Argv: []string{tt.word, "arg"}, Path: tt.path, Errno: tt.errno}
				if diff := cmp.Diff(want, got[0], ignoreAddr); diff != "" {
					t.Errorf("event (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestInjectSeesListeners(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		network, address string
		want             facts.Socket
		scope            facts.Scope
	}{
		"any":          {"tcp4", "0.0.0.0:8000", facts.Socket{Network: "tcp", Port: 8000}, facts.ScopeAny},
		"dual":         {"tcp", "[::]:8000", facts.Socket{Network: "tcp", Port: 8000}, facts.ScopeAny},
		"IPv6 only":    {"tcp6", "[::]:8000", facts.Socket{Network: "tcp", Port: 8000, V6Only: true}, facts.ScopeAny6},
		"loopback":     {"tcp", "127.0.0.1:8000", facts.Socket{Network: "tcp", Port: 8000}, facts.ScopeLoopback},
		"one address":  {"tcp", "198.18.0.2:8000", facts.Socket{Network: "tcp", Port: 8000}, facts.ScopeAddress},
		"udp":          {"udp", "0.0.0.0:5353", facts.Socket{Network: "udp", Port: 5353}, facts.ScopeAny},
		"unix":         {"unix", "app.sock", facts.Socket{Network: "unix", Path: "app.sock"}, facts.ScopeUnknown},
		"unix by path": {"unix", "/proc/self/cwd/x.sock", facts.Socket{Network: "unix", Path: "/proc/self/cwd/x.sock"}, facts.ScopeUnknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, RoleInject, testConfig, setup{Dir: t.TempDir()}, self(roleServe, "http=200", tt.network, tt.address)...)
			e := w.until("listener", func(e facts.Event) bool { return e.Kind == facts.EventListening })
			got := *e.Socket
			if got.Scope() != tt.scope {
				t.Errorf("scope %q, want %q: %s", got.Scope(), tt.scope, got.Address())
			}
			if got.PID != 1 || !slices.Equal(got.Argv[1:], []string{roleServe, "http=200", tt.network, tt.address}) {
				t.Errorf("owner %d %q, want 1 and the program", got.PID, got.Argv)
			}
			if got.Inode == 0 || got.Network != "udp" && got.Backlog == 0 {
				t.Errorf("inode or backlog is missing: %+v", got)
			}
			tt.want.Addr, tt.want.Inode, tt.want.Backlog = got.Addr, got.Inode, got.Backlog
			tt.want.PID, tt.want.Argv = got.PID, got.Argv
			if diff := cmp.Diff(tt.want, got, ignoreAddr); diff != "" {
				t.Errorf("socket (-want +got):\n%s", diff)
			}
		})
	}
}

// The age of an event is taken from the program's own reading of the shared
// clock, right after it had bound, to its arrival outside.
func TestInjectIsQuick(t *testing.T) {
	t.Parallel()
	w := watch(t, RoleInject, testConfig, setup{}, self(roleServe, "http=200", "tcp4", "0.0.0.0:8000")...)
	w.listening(8000)
	arrived := clock()
	w.answer(outside, facts.ClassHTTP)
	process := w.until("process", func(e facts.Event) bool { return e.Kind == facts.EventProcess })
	if p := process.Process; p.PID != 1 || p.SID == 0 && p.PPID != 0 || !slices.Contains(p.Argv, roleServe) {
		t.Errorf("first process: %+v", p)
	}
	for _, e := range w.of(facts.EventProcess) {
		if slices.Contains(e.Process.Argv, RoleObserve) {
			t.Errorf("the observer reports itself: %q", e.Process.Argv)
		}
	}
	_ = w.cmd.Process.Kill()
	w.end()
	var bound instant
	if _, err := fmt.Sscanf(w.log.String(), "bound %d", &bound); err != nil {
		t.Fatalf("log %q: %v", w.log.String(), err)
	}
	age := time.Duration(arrived - bound)
	t.Logf("the event arrived %s after the program had bound", age)
	if age < 0 || age > patience {
		t.Errorf("the event arrived %s after the program had bound", age)
	}
}

func TestInjectKnowsOwnerOfAnotherUser(t *testing.T) {
	t.Parallel()
	for name, quiet := range map[string]bool{"with ptrace": false, "by user": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, RoleInject, testConfig, setup{Quiet: quiet}, self(roleServe, "user=1000", "tcp4", "127.0.0.1:8000")...)
			if got := w.listening(8000).Socket; got.PID != 1 {
				t.Errorf("owner %d, want 1", got.PID)
			}
		})
	}
}

func TestInjectWithoutRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := testBinary(t, dir)
	w := watch(t, RoleInject, testConfig, setup{UID: 1000, Dir: dir}, program, roleServe, "http=200", "tcp4", "0.0.0.0:8000")
	got := w.listening(8000).Socket
	if got.PID != 1 || got.UID != 1000 {
		t.Errorf("owner %d of user %d, want 1 of 1000", got.PID, got.UID)
	}
	w.answer("198.18.0.2", facts.ClassHTTP)
}

func TestInjectSeesSocketsClose(t *testing.T) {
	t.Parallel()
	script := `timeout 0.7 "$0" ` + roleServe + ` http=200 tcp4 0.0.0.0:8000; exec sleep 60`
	w := watch(t, RoleInject, testConfig, setup{}, "sh", "-c", script, os.Args[0])
	opened := w.listening(8000)
	closed := w.until("closed", func(e facts.Event) bool { return e.Kind == facts.EventClosed })
	if closed.Socket.Inode != opened.Socket.Inode || closed.T <= opened.T {
		t.Errorf("opened %+v, closed %+v", opened.Socket, closed.Socket)
	}
	w.until("sleep", func(e facts.Event) bool {
		return e.Kind == facts.EventProcess && e.Process.PID == 1 && e.Process.Argv[0] == "sleep"
	})
	if d := time.Duration(closed.T-opened.T) * time.Millisecond; d > patience {
		t.Errorf("closed after %s", d)
	}
}

// Work of the program and of its children is told from sleeping, in a second
// and summed up when a child was waited for.
func TestInjectTellsWork(t *testing.T) {
	t.Parallel()
	spin := `i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done`
	w := watch(t, RoleInject, testConfig, setup{}, "sh", "-c", "sh -c '"+spin+"'; echo slept; sleep 60")
	worked := facts.Millis(0)
	w.until("work", func(e facts.Event) bool {
		worked += e.CPU
		return e.Kind == facts.EventBeat && worked >= 200
	})
	w.until("rest", func(e facts.Event) bool { return e.Kind == facts.EventBeat && e.CPU == 0 })
}
