package run

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
)

// What is kept of a log: its start tells how the program was configured, its
// end why it died.
const (
	headLines = 100
	tailLines = 400
	maxLine   = 4096
	maxEvents = 4096
)

// Record collects a run while it happens, keeps it bounded and decides when
// it ends. It is used from one goroutine.
type Record struct {
	*panel
	run     facts.Run
	watcher Watcher
	partial map[string][]byte // the unfinished line of each stream
	head    []facts.LogLine
	tail    []facts.LogLine
	room    int64 // bytes left for the head
	tailMax int64
	tailNow int64
}

// NewRecord returns the record of one run; the watcher may be nil.
func NewRecord(spec Spec, w Watcher) *Record {
	limit := cmp.Or(spec.Limits.LogBytes, DefaultLimits.LogBytes)
	return &Record{
		panel:   newPanel(spec),
		run:     facts.Run{Argv: spec.Argv, MemoryLimit: spec.Limits.Memory},
		watcher: w,
		partial: map[string][]byte{},
		room:    limit / 4,
		tailMax: limit - limit/4,
	}
}

// Event adds an event.
func (r *Record) Event(e facts.Event) {
	r.panel.Event(e)
	if e.Kind == facts.EventBeat {
		if busy(e) {
			r.run.Worked = append(r.run.Worked, e.T)
		}
		return
	}
	if e.Kind == facts.EventSurvivor && e.Process != nil {
		r.run.Survivors = append(r.run.Survivors, *e.Process)
	}
	if len(r.run.Events) < maxEvents {
		r.run.Events = append(r.run.Events, e)
	}
	if r.watcher != nil {
		r.watcher.Event(e)
	}
}

// Write adds what the program wrote to a stream at a time.
func (r *Record) Write(t facts.Millis, stream string, p []byte) {
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		room := maxLine - len(r.partial[stream])
		r.run.Log.Dropped += int64(max(0, len(line)-room))
		r.partial[stream] = append(r.partial[stream], line[:min(len(line), room)]...)
		if ended {
			r.line(t, stream)
		}
		p = rest
	}
}

func (r *Record) line(t facts.Millis, stream string) {
	text := bytes.TrimSuffix(r.partial[stream], []byte{'\r'})
	line := facts.LogLine{T: t, Stream: stream, Text: string(bytes.ToValidUTF8(text, []byte("\uFFFD")))}
	r.partial[stream] = r.partial[stream][:0]
	r.Log(t, line.Text)
	r.keep(line)
	if r.watcher != nil {
		r.watcher.Log(line)
	}
}

func (r *Record) keep(line facts.LogLine) {
	size := int64(len(line.Text)) + 1
	if len(r.tail) == 0 && len(r.head) < headLines && size <= r.room {
		r.head = append(r.head, line)
		r.room -= size
		return
	}
	r.tail = append(r.tail, line)
	r.tailNow += size
	drop := 0
	for drop < len(r.tail) && (len(r.tail)-drop > tailLines || r.tailNow > r.tailMax) {
		cut := int64(len(r.tail[drop].Text)) + 1
		r.tailNow -= cut
		r.run.Log.Dropped += cut
		drop++
	}
	r.tail = slices.Delete(r.tail, 0, drop)
}

// Executed reports whether the program was executed, or could not be.
func (r *Record) Executed() bool {
	return slices.ContainsFunc(r.run.Events, func(e facts.Event) bool {
		return e.Kind == facts.EventExec || e.Kind == facts.EventExecError
	})
}

// Blind notes something that this way of running cannot see.
func (r *Record) Blind(what string) { r.run.Blind = append(r.run.Blind, what) }

// SetWay notes how the run is watched.
func (r *Record) SetWay(w facts.Way) {
	r.run.Way = w
	if w == facts.WayLogs {
		r.panel.Unseen()
	}
}

// SetAddress notes the container's own address.
func (r *Record) SetAddress(address string) { r.run.Address = address }

// Finish ends the record. The exit is nil when the program was still running;
// in a wrapped run the main process's own exit is taken instead.
func (r *Record) Finish(stop facts.Stop, took facts.Millis, exit *facts.Exit) facts.Run {
	for _, stream := range []string{"stdout", "stderr"} {
		if len(r.partial[stream]) > 0 {
			r.line(took, stream)
		}
	}
	slices.SortStableFunc(r.run.Events, func(a, b facts.Event) int { return cmp.Compare(a.T, b.T) })
	for _, e := range r.run.Events {
		if e.Kind == facts.EventMainExit {
			exit = e.Exit
		}
	}
	r.run.Exit = exit
	r.run.Log.Lines = slices.Concat(r.head, r.tail)
	r.run.Stopped, r.run.Took = stop, took
	return r.run
}
