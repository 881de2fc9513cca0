package facts

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// SignalSet is a set of signals as /proc/PID/status shows it: bit 0 is signal 1.
type SignalSet uint64

// Has reports whether the signal is in the set.
func (s SignalSet) Has(signal int) bool {
	return signal >= 1 && signal <= 64 && s>>(signal-1)&1 == 1
}

// MarshalText writes the set as the kernel does.
func (s SignalSet) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%016x", uint64(s)), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *SignalSet) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 16, 64)
	if err != nil {
		return fmt.Errorf("parse signal set %q: %w", text, err)
	}
	*s = SignalSet(n)
	return nil
}

// Signals tells what a process does with signals.
type Signals struct {
	Caught  SignalSet `json:"caught"`
	Ignored SignalSet `json:"ignored"`
	Blocked SignalSet `json:"blocked"`
	// Waits: a thread waits for signals (sigwait), as tini does, which the
	// sets do not show.
	Waits Tri `json:"waits,omitempty"`
}

// StopTry is what a stop signal did to the first process.
type StopTry struct {
	Signal string `json:"signal"` // "SIGTERM"
	// Moved: something ended, closed or was logged after it.
	Moved bool   `json:"moved"`
	Took  Millis `json:"took"` // until it moved, or was given up
}

// CheckResult is the outcome of one run of an image's HEALTHCHECK.
type CheckResult struct {
	T      Millis   `json:"t"` // when it was started
	Argv   []string `json:"argv"`
	Code   int      `json:"code"`
	Output string   `json:"output,omitempty"` // its last bytes, both streams
	Took   Millis   `json:"took"`
	// TimedOut: it still ran after its own timeout; Code is then -1.
	TimedOut bool `json:"timedOut,omitempty"`
}

// shellNames are the programs that handle a signal only after their
// foreground command has ended, also when they catch it.
var shellNames = []string{"sh", "bash", "dash", "ash", "ksh", "zsh", "mksh"}

// ShellName is the name of the shell that the event's process is, as it was
// called; "" when it is none. Busybox is a shell only by that name.
func (e Event) ShellName() string {
	exe, called := path.Base(e.Path), ""
	if len(e.Argv) > 0 {
		called = strings.TrimPrefix(path.Base(e.Argv[0]), "-")
	}
	if strings.HasPrefix(exe, "busybox") {
		exe = called
		if strings.HasPrefix(called, "busybox") && len(e.Argv) > 1 {
			exe = e.Argv[1]
		}
	}
	switch {
	case !slices.Contains(shellNames, exe):
		return ""
	case slices.Contains(shellNames, called):
		return called
	}
	return exe
}

// LastSignals returns the last event that tells what the first process does
// with signals.
func (r *Run) LastSignals() (Event, bool) {
	for _, e := range slices.Backward(r.Events) {
		if e.Kind == EventSignals {
			return e, true
		}
	}
	return Event{}, false
}

// Heeds tells from an event of EventSignals whether the first process does
// something about a signal. The kernel drops a signal for PID 1 that it has
// no handler for: what would end another process does nothing.
func (e Event) Heeds(signal int) Tri {
	s := e.Signals
	switch {
	case signal == 0:
		return Unknown
	case signal == sigKill:
		return Yes
	case s.Ignored.Has(signal):
		return No
	case s.Caught.Has(signal) && e.ShellName() == "":
		return Yes
	case s.Caught.Has(signal), s.Blocked.Has(signal), s.Waits != No:
		return Unknown
	}
	return No
}

const sigKill = 9

// signalNames are those of Linux, by number; those of real time are missing.
var signalNames = []string{"", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
	"USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
	"VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"}

// firstRealTime is SIGRTMIN as C libraries count, who keep two for themselves.
const firstRealTime = 34

// Stopping is the signal that asks the image to stop: its STOPSIGNAL, or
// SIGTERM. The number is 0 when the name is not one.
func (c Config) Stopping() (name string, number int) {
	text := strings.TrimPrefix(strings.ToUpper(c.StopSignal), "SIG")
	if text == "" {
		text = "TERM"
	}
	if n, err := strconv.Atoi(text); err == nil {
		if n > 0 && n < len(signalNames) {
			return "SIG" + signalNames[n], n
		}
		return "signal " + text, n
	}
	if rest, ok := strings.CutPrefix(text, "RTMIN"); ok {
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "+"))
		if rest == "" || err == nil {
			return "SIG" + text, firstRealTime + n
		}
	}
	return "SIG" + text, max(0, slices.Index(signalNames, text))
}
