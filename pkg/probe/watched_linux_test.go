package probe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/imglint/imglint/pkg/facts"
)

// watched is a probe at work in namespaces of its own.
type watched struct {
	t      *testing.T
	cmd    *exec.Cmd
	events chan facts.Event
	seen   []facts.Event
	log    bytes.Buffer
	stderr bytes.Buffer
	status int
}

var testConfig = Config{
	Nonce: nonce, Address: "198.18.0.2", Endpoint: 8000,
	Probe: facts.Probe{Method: "GET", Path: "/", Host: "containers", TryTimeout: time.Second},
}

// self is a command of this test binary.
func self(role string, words ...string) []string {
	return append([]string{os.Args[0], role}, words...)
}

func encode(t *testing.T, cfg Config) string {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(text)
}

// watch starts a program under a role of the probe.
func watch(t *testing.T, role string, cfg Config, s setup, argv ...string) *watched {
	t.Helper()
	s.Argv = append([]string{role, encode(t, cfg), "--"}, argv...)
	return launch(t, s)
}

func launch(t *testing.T, s setup) *watched {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, events: make(chan facts.Event, 1000)}
	w.cmd = exec.Command("/proc/self/exe", roleSetup, string(text))
	w.cmd.Args[0] = os.Args[0]
	w.cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello", "EMPTY="}
	w.cmd.Stderr = &w.stderr
	w.cmd.WaitDelay = time.Second
	w.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Setsid: true,
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); errors.Is(err, syscall.EPERM) {
		t.Skip("needs root: it makes namespaces")
	} else if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.decode(out)
	}()
	t.Cleanup(func() {
		_ = w.cmd.Process.Kill()
		<-ended
	})
	return w
}

func (w *watched) decode(out io.Reader) {
	defer close(w.events)
	d := NewDecoder(nonce)
	buf := make([]byte, 4096)
	for {
		n, err := out.Read(buf)
		log, events := d.Feed(bytes.Clone(buf[:n]))
		w.log.Write(log)
		for _, e := range events {
			w.events <- e
		}
		if err != nil {
			w.log.Write(d.Flush())
			_ = w.cmd.Wait()
			w.status = w.cmd.ProcessState.ExitCode()
			return
		}
	}
}

const patience = 20 * time.Second // the machine may be busy

// until returns the first event that matches, seen or to come.
func (w *watched) until(what string, matches func(facts.Event) bool) facts.Event {
	w.t.Helper()
	if i := slices.IndexFunc(w.seen, matches); i >= 0 {
		return w.seen[i]
	}
	late := time.After(patience)
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				w.t.Fatalf("ended with %d before %s:\n%s", w.status, what, w.told())
			}
			w.seen = append(w.seen, e)
			if matches(e) {
				return e
			}
		case <-late:
			w.t.Fatalf("no %s in time:\n%s", what, w.told())
		}
	}
}

// during collects events for a while, to show what does not come.
func (w *watched) during(d time.Duration) {
	over := time.After(d)
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				return
			}
			w.seen = append(w.seen, e)
		case <-over:
			return
		}
	}
}

// end waits for the end and returns the exit status.
func (w *watched) end() int {
	w.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				return w.status
			}
			w.seen = append(w.seen, e)
		case <-late:
			w.t.Fatalf("does not end:\n%s", w.told())
		}
	}
}

func (w *watched) of(kind facts.EventKind) (events []facts.Event) {
	for _, e := range w.seen {
		if e.Kind == kind {
			events = append(events, e)
		}
	}
	return events
}

func (w *watched) listening(port int) facts.Event {
	w.t.Helper()
	return w.until("listener", func(e facts.Event) bool {
		return e.Kind == facts.EventListening && e.Socket.Port == port
	})
}

func (w *watched) answer(to string, class facts.Class) facts.Answer {
	w.t.Helper()
	return *w.until("answer of "+to, func(e facts.Event) bool {
		return e.Kind == facts.EventAnswer && e.Answer.To.String() == to && e.Answer.Class == class
	}).Answer
}

func (w *watched) told() string {
	var text strings.Builder
	for _, e := range w.seen {
		line, err := json.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	return text.String()
}

// ignoreAddr leaves addresses to the checks of their scope.
var ignoreAddr = cmp.FilterValues(func(a, b netip.Addr) bool { return true }, cmp.Ignore())
