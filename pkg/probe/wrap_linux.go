package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/imglint/imglint/pkg/facts"
	"golang.org/x/sys/unix"
)

const (
	reapPause     = 5 * millisecond
	defaultWatch  = 10 * second
	enoughWatch   = 2 * second // when a survivor has a listener
	survivorPause = 10 * millisecond
	maxSurvivors  = 100
)

// wrapped is a wrapped run: this process stays PID 1.
type wrapped struct {
	*observer
	argv    []string
	line    int // the shim's reports; -1: ended
	text    []byte
	shim    int
	program int
	reaped  map[int]unix.WaitStatus // of orphans, and of the program without its shim

	ended     instant // when the program ended; 0: it runs
	status    int     // that this process exits with
	watch     instant // for survivors
	survivors []*survivor
	finished  bool
}

// wrap runs the program as a grandchild, reaps what it leaves, and tells what
// outlives it.
func wrap(cfg Config, argv, self []string) (int, error) {
	seclude()
	w := &wrapped{argv: argv, reaped: map[int]unix.WaitStatus{}, watch: defaultWatch}
	if cfg.SurvivorsFor > 0 {
		w.watch = instant(cfg.SurvivorsFor.Duration())
	}
	// Outside a container there is no PID 1 of one's own to inherit orphans.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return exitUsage, fmt.Errorf("become the reaper: %w", err)
	}
	w.observer = newObserver(cfg, 0)
	if err := w.start(argv, self); err != nil {
		return exitUsage, fmt.Errorf("start shim: %w", err)
	}
	w.tasks = append(w.tasks, &task{run: w.reap})
	for !w.finished {
		var line []int
		if w.line >= 0 {
			line = []int{w.line}
		}
		if w.step(line...) >= 0 {
			w.read()
		}
	}
	return w.status, nil
}

// start starts the shim, and lets go of the program's stdin.
func (w *wrapped) start(argv, self []string) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	role := append([]string{RoleShim, "--"}, argv...)
	pid, err := startSelf(self, role, syscall.Environ(), []int{0, 1, 2, pipe[1]})
	unix.Close(pipe[1])
	if err != nil {
		return err
	}
	w.shim, w.line = pid, pipe[0]
	w.processes.own[pid] = true
	if err := unix.Dup3(pipe[0], 0, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("replace stdin: %w", err)
	}
	unix.Close(pipe[0])
	w.line = 0
	return nil
}

// read takes the shim's reports.
func (w *wrapped) read() {
	var buf [1024]byte
	n, err := receive(w.line, buf[:])
	if n <= 0 || err != nil {
		w.line = -1
		return
	}
	w.text = append(w.text, buf[:n]...)
	for {
		line, rest, ok := bytes.Cut(w.text, []byte("\n"))
		if !ok {
			return
		}
		var r shimReport
		if json.Unmarshal(line, &r) == nil {
			w.report(r)
		}
		w.text = rest
	}
}

func (w *wrapped) report(r shimReport) {
	switch {
	case r.Base != 0:
		w.begin(r.Base)
	case r.PID != 0:
		w.program = r.PID
		w.emit(w.base, facts.Event{Kind: facts.EventExec, PID: r.PID, Argv: w.argv})
		w.begun(clock())
	case r.Errno != 0:
		err := unix.Errno(r.Errno)
		w.emit(clock(), execError(w.argv, r.Path, err))
		w.status, w.finished = execStatus(err), true
	case r.Ended != 0:
		w.mainExit(r.Ended, unix.WaitStatus(r.Wait))
	}
}

// reap collects what has ended. The program itself is the shim's to collect,
// unless the program killed its shim.
func (w *wrapped) reap(now instant) instant {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			break
		}
		w.reaped[pid] = status
		if pid == w.program && w.ended == 0 {
			w.mainExit(now, status)
		}
	}
	if w.program == 0 && w.line < 0 { // the shim ended without a word
		w.status, w.finished = exitUsage, true
	}
	return now + reapPause
}

// exitOf reads a wait status.
func exitOf(at facts.Millis, status unix.WaitStatus) facts.Exit {
	if status.Signaled() {
		return facts.Exit{T: at, Code: 128 + int(status.Signal()), Signal: unix.SignalName(status.Signal())}
	}
	return facts.Exit{T: at, Code: status.ExitStatus()}
}

func (w *wrapped) mainExit(at instant, status unix.WaitStatus) {
	exit := exitOf(w.since(at), status)
	w.ended, w.status = at, exit.Code
	w.emit(at, facts.Event{Kind: facts.EventMainExit, Exit: &exit})
	now := clock()
	w.firstLook(now)
	w.asker.again(now)
	w.scanning.run, w.scanning.next = w.followSurvivors, now
}
