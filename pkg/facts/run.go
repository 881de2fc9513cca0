package facts

import (
	"net/netip"
	"slices"
)

// Run is one observed start of an image. Times count from the moment the
// image's program is executed.
type Run struct {
	Argv []string `json:"argv"`
	// Address is the container's own address that the probe asked, besides
	// 127.0.0.1; "" when there was none.
	Address string  `json:"address,omitempty"`
	Events  []Event `json:"events,omitempty"` // in order of T
	Log     Log     `json:"log"`
	// Exit is set when the first process ended, or could not be started.
	Exit *Exit `json:"exit,omitempty"`
	// Survivors are the processes that outlived the first one; only in a
	// wrapped run, see Facts.Wrapped.
	Survivors []Process `json:"survivors,omitempty"`
	// Stopped tells why the watching ended; Took is when.
	Stopped Stop   `json:"stopped"`
	Took    Millis `json:"took"`
	// MemoryLimit is in bytes; 0: none.
	MemoryLimit int64 `json:"memoryLimit,omitempty"`
	// StopTry is what a real stop signal did, sent at the end of a run whose
	// Signals do not tell; nil: none was sent.
	StopTry *StopTry `json:"stopTry,omitempty"`
	// Healthcheck is the outcome of the image's own HEALTHCHECK, run once
	// after the endpoint was answered; nil: it was not run.
	Healthcheck *CheckResult `json:"healthcheck,omitempty"`
	// Worked are the times of the beats at which the program was busy; they
	// are not part of a recording.
	Worked []Millis `json:"-"`
	// Blind lists what this way of running could not see, for a reader.
	Blind []string `json:"blind,omitempty"`
	// Doubt is why a good answer does not show that the image works: what it had
	// here it does not have elsewhere. "": it does show that.
	Doubt string `json:"doubt,omitempty"`
	// Way is how it was watched; "": it was not noted.
	Way Way `json:"way,omitempty"`
}

// Way is how a run was watched: the ways see less and less.
type Way string

// The ways.
const (
	WayCell    Way = "cell"    // the probe started the program, on a network of imglint's own
	WayAlone   Way = "alone"   // the probe started the program, on a network of the engine
	WaySidecar Way = "sidecar" // the engine started the program, and a probe joined it afterwards
	WayLogs    Way = "logs"    // only the log and the end were seen
	WayLocal   Way = "local"   // the probe started the program, without an engine
)

// Stop is the reason why a run was ended.
type Stop string

// The reasons.
const (
	StopAnswered    Stop = "answered"    // a good answer, and PID 1 lived on for the settle time
	StopExited      Stop = "exited"      // PID 1 ended by itself
	StopProof       Stop = "proof"       // what was seen is all that was predicted, and cannot pass
	StopQuiet       Stop = "quiet"       // it serves elsewhere and nothing changed for long enough
	StopWaits       Stop = "waits"       // nothing listens, and it only waits for another service
	StopKills       Stop = "kills"       // the server kills every worker before it has booted
	StopWindow      Stop = "window"      // the boot window ended
	StopSurvivors   Stop = "survivors"   // a wrapped run: the survivors were watched long enough
	StopInterrupted Stop = "interrupted" // by the user or by imglint's own limits
	StopLost        Stop = "lost"        // the engine or the observer went away
)

// EventKind names what happened.
type EventKind string

// The kinds of events and the fields that go with each.
const (
	EventExec       EventKind = "exec"       // PID, Argv: the program is about to be executed
	EventExecError  EventKind = "exec-error" // Argv, Path, Errno: it could not be
	EventProcess    EventKind = "process"    // Process: a process was first seen, or changed its command
	EventListening  EventKind = "listening"  // Socket: a listener was opened
	EventClosed     EventKind = "closed"     // Socket: it went away
	EventAnswer     EventKind = "answer"     // Answer: a probe request ended
	EventOOM        EventKind = "oom"        // the kernel killed a process of the container for memory
	EventMainExit   EventKind = "main-exit"  // Exit: the main process of a wrapped run ended
	EventSurvivor   EventKind = "survivor"   // Process: it outlived the main process of a wrapped run
	EventLost       EventKind = "lost"       // the observer inside was killed
	EventSignals    EventKind = "signals"    // PID, Argv, Path, Signals: of the first process, once the endpoint was answered; the last one holds
	EventQueue      EventKind = "queue"      // Socket: connections have waited for a second that the program did not accept; Queue 0: it has now
	EventConnecting EventKind = "connecting" // Socket: an address that a process has waited for an answer from for a second
	EventBeat       EventKind = "beat"       // CPU: the observer is alive; not kept in a run
)

// Event is one thing that happened in a run.
type Event struct {
	T       Millis    `json:"t"`
	Kind    EventKind `json:"kind"`
	PID     int       `json:"pid,omitempty"`
	Argv    []string  `json:"argv,omitempty"`
	Path    string    `json:"path,omitempty"`
	Errno   string    `json:"errno,omitempty"` // "ENOENT", "EACCES", "ENOEXEC", …
	Process *Process  `json:"process,omitempty"`
	Socket  *Socket   `json:"socket,omitempty"`
	Answer  *Answer   `json:"answer,omitempty"`
	Exit    *Exit     `json:"exit,omitempty"`
	Signals *Signals  `json:"signals,omitempty"`
	// CPU is what the program's processes have used since the beat before, in ms.
	CPU Millis `json:"cpu,omitempty"`
}

// Process is a process of the container.
type Process struct {
	PID  int      `json:"pid"`
	PPID int      `json:"ppid"`
	SID  int      `json:"sid"`
	UID  int      `json:"uid"`
	Argv []string `json:"argv,omitempty"` // at most 32 words of at most 256 bytes
	Exe  string   `json:"exe,omitempty"`
	// FD0 is where standard input leads: "/dev/null", "pipe", …
	FD0 string `json:"fd0,omitempty"`
	// Alive is how long a survivor lived on after the first process had ended.
	Alive Millis `json:"alive,omitempty"`
	// Exit is how a survivor ended, when it did and its parent did not collect it.
	Exit *Exit `json:"exit,omitempty"`
}

// Socket is a listener.
type Socket struct {
	Network string     `json:"network"` // "tcp", "udp" or "unix"
	Addr    netip.Addr `json:"addr,omitzero"`
	Port    int        `json:"port,omitempty"`
	Path    string     `json:"path,omitempty"` // of a unix socket
	// V6Only: a [::] listener that refuses IPv4.
	V6Only  bool   `json:"v6only,omitempty"`
	Inode   uint32 `json:"inode,omitempty"`
	UID     int    `json:"uid"`
	Queue   int    `json:"queue,omitempty"`   // connections nobody accepted yet
	Backlog int    `json:"backlog,omitempty"` // how many may wait
	// PID and Argv name the owner; 0 and nil when it could not be told.
	PID  int      `json:"pid,omitempty"`
	Argv []string `json:"argv,omitempty"`
}

// Scope tells who can reach the listener.
func (s Socket) Scope() Scope {
	switch {
	case s.Network == "unix" || !s.Addr.IsValid():
		return ScopeUnknown
	case s.Addr.Unmap().IsLoopback():
		return ScopeLoopback
	case s.Addr.IsUnspecified() && s.V6Only:
		return ScopeAny6
	case s.Addr.IsUnspecified():
		return ScopeAny
	}
	return ScopeAddress
}

// Address returns HOST:PORT as netstat would print it, or a unix socket's path.
func (s Socket) Address() string {
	if s.Network == "unix" {
		return "unix:" + s.Path
	}
	return netip.AddrPortFrom(s.Addr, uint16(s.Port)).String()
}

// Class tells what came back on a connection.
type Class string

// The classes.
const (
	ClassHTTP    Class = "http"    // an HTTP/1 answer; Status is set
	ClassTLS     Class = "tls"     // the port wants TLS
	ClassOther   Class = "other"   // bytes that are not HTTP; First holds them
	ClassClosed  Class = "closed"  // accepted, then closed without a byte
	ClassReset   Class = "reset"   // accepted, then reset without a byte
	ClassSilent  Class = "silent"  // accepted, no byte until the try's time was over
	ClassRefused Class = "refused" // nobody listens there
	ClassFailed  Class = "failed"  // could not be asked; Error says why
)

// Answer is the outcome of one probe request.
type Answer struct {
	To     netip.Addr `json:"to"`
	Port   int        `json:"port"`
	Class  Class      `json:"class"`
	Status int        `json:"status,omitempty"`
	// Followed is the path that a redirect led to, when this is its answer.
	Followed string `json:"followed,omitempty"`
	// Location and Server are headers of an HTTP answer.
	Location string `json:"location,omitempty"`
	Server   string `json:"server,omitempty"`
	// Protocol is what the first bytes were recognised as: "redis", "ssh", …
	Protocol string `json:"protocol,omitempty"`
	// ALPN is what a TLS server takes of h2 and http/1.1: "none" when it
	// refuses both, "" when it does not say, or speaks TLS 1.3 alone.
	ALPN  string `json:"alpn,omitempty"`
	First string `json:"first,omitempty"` // at most 64 bytes, unprintable ones escaped
	Error string `json:"error,omitempty"`
	// Request tells which of a run's requests this answers; 0 is the first.
	Request int    `json:"request,omitempty"`
	Asked   Millis `json:"asked"` // when the request was sent; Event.T is when it ended
	Took    Millis `json:"took"`
}

// Loopback reports whether the loopback address was asked.
func (a Answer) Loopback() bool { return a.To.IsLoopback() }

// Exit tells how a process ended.
type Exit struct {
	T      Millis `json:"t"`
	Code   int    `json:"code"`
	Signal string `json:"signal,omitempty"` // "SIGKILL"; Code is then 128 + its number
	OOM    bool   `json:"oom,omitempty"`    // killed by the memory limit
	// Unsaid: whether it was killed by the memory limit is not known.
	Unsaid bool `json:"unsaid,omitempty"`
	// Refused is the engine's own words when it would not start the container at all.
	Refused string `json:"refused,omitempty"`
}

// Log is what the container wrote, bounded.
type Log struct {
	Lines []LogLine `json:"lines,omitempty"` // the first and the last ones
	// Dropped counts the bytes between them that were thrown away.
	Dropped int64 `json:"dropped,omitempty"`
}

// LogLine is one line; T is when it arrived.
type LogLine struct {
	T      Millis `json:"t"`
	Stream string `json:"stream"` // "stdout" or "stderr"
	Text   string `json:"text"`   // without its line end, at most 4096 bytes
}

// Tail returns the last n lines.
func (l Log) Tail(n int) []LogLine {
	return l.Lines[max(0, len(l.Lines)-n):]
}

// Listener is a socket with the time it was first and last seen open.
type Listener struct {
	Socket
	Opened Millis
	Closed Millis // 0: open to the end
}

// Listeners returns every listener of the run in the order they were opened.
func (r *Run) Listeners() []Listener {
	var all []Listener
	for _, e := range r.Events {
		switch e.Kind {
		case EventListening:
			all = append(all, Listener{Socket: *e.Socket, Opened: e.T})
		case EventClosed:
			for i := range slices.Backward(all) {
				if all[i].Closed == 0 && all[i].Inode == e.Socket.Inode && all[i].Address() == e.Socket.Address() {
					all[i].Closed = e.T
					break
				}
			}
		}
	}
	return all
}

// Open returns the listeners that were open to the end.
func (r *Run) Open() []Listener {
	return slices.DeleteFunc(r.Listeners(), func(l Listener) bool { return l.Closed != 0 })
}

// Answers returns the probe's outcomes on a port in order.
func (r *Run) Answers(port int) []Event {
	var answers []Event
	for _, e := range r.Events {
		if e.Kind == EventAnswer && e.Answer.Port == port {
			answers = append(answers, e)
		}
	}
	return answers
}

// Passed returns the first answer on the port that the probe accepts; one of
// the loopback address counts only if the probe asks there.
func (r *Run) Passed(port int, probe Probe) (Event, bool) {
	for _, e := range r.Answers(port) {
		if (probe.Loopback || !e.Answer.Loopback()) && probe.Passes(*e.Answer) {
			return e, true
		}
	}
	return Event{}, false
}

// Executed returns the event of the program's execution.
func (r *Run) Executed() (Event, bool) {
	for _, e := range r.Events {
		if e.Kind == EventExec {
			return e, true
		}
	}
	return Event{}, false
}
