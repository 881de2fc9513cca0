package run

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestRecordLines(t *testing.T) {
	t.Parallel()
	r := NewRecord(spec(), nil)
	r.Write(10, "stdout", []byte("one\r\ntwo"))
	r.Write(20, "stderr", []byte("oops\n"))
	r.Write(30, "stdout", []byte(" and a half\n\nlast"))
	r.Write(40, "stderr", []byte("bad \xff byte\n"))
	got := r.Finish(facts.StopWindow, 50, nil).Log
	want := facts.Log{Lines: []facts.LogLine{
		{T: 10, Stream: "stdout", Text: "one"},
		{T: 20, Stream: "stderr", Text: "oops"},
		{T: 30, Stream: "stdout", Text: "two and a half"},
		{T: 30, Stream: "stdout", Text: ""},
		{T: 40, Stream: "stderr", Text: "bad \uFFFD byte"},
		{T: 50, Stream: "stdout", Text: "last"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestRecordKeepsBothEndsOfAFlood(t *testing.T) {
	t.Parallel()
	const lines = 10_000
	r := NewRecord(spec(), nil)
	var written int64
	for i := range lines {
		line := fmt.Sprintf("line %d\n", i)
		written += int64(len(line))
		r.Write(facts.Millis(i), "stdout", []byte(line))
	}
	log := r.Finish(facts.StopWindow, lines, nil).Log
	if n := len(log.Lines); n != headLines+tailLines {
		t.Fatalf("%d lines kept, want %d", n, headLines+tailLines)
	}
	for i, want := range map[int]string{0: "line 0", headLines - 1: "line 99", headLines: "line 9600", headLines + tailLines - 1: "line 9999"} {
		if got := log.Lines[i].Text; got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
	kept := int64(0)
	for _, l := range log.Lines {
		kept += int64(len(l.Text)) + 1
	}
	if kept+log.Dropped != written {
		t.Errorf("%d bytes kept and %d dropped, want %d together", kept, log.Dropped, written)
	}
}

func TestRecordBoundsBytes(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	r := NewRecord(spec(func(s *Spec) { s.Limits.LogBytes = limit }), nil)
	long := []byte(strings.Repeat("x", 10_000) + "\n")
	for range 100 {
		r.Write(1, "stdout", long)
	}
	log := r.Finish(facts.StopWindow, 2, nil).Log
	kept := 0
	for _, l := range log.Lines {
		if len(l.Text) != maxLine {
			t.Fatalf("a line of %d bytes, want %d", len(l.Text), maxLine)
		}
		kept += len(l.Text) + 1
	}
	if kept > limit || kept < limit/2 {
		t.Errorf("%d bytes kept, want most of %d and no more", kept, limit)
	}
	if want := int64(100*len(long) - kept); log.Dropped != want {
		t.Errorf("%d bytes dropped, want %d", log.Dropped, want)
	}
}

func TestRecordTakesTheMainProcessOfAWrappedRun(t *testing.T) {
	t.Parallel()
	r := NewRecord(spec(wrapped), nil)
	r.Event(facts.Event{T: 700, Kind: facts.EventSurvivor, Process: &facts.Process{PID: 7, Alive: 500}})
	r.Event(facts.Event{T: 200, Kind: facts.EventMainExit, Exit: &facts.Exit{T: 200, Code: 3}})
	r.Exit()
	got := r.Finish(facts.StopSurvivors, 800, &facts.Exit{T: 800, Code: 0})
	if got.Exit.Code != 3 || got.Exit.T != 200 {
		t.Errorf("exit %+v, want that of the main process", *got.Exit)
	}
	if len(got.Survivors) != 1 || got.Survivors[0].PID != 7 {
		t.Errorf("survivors %+v, want pid 7", got.Survivors)
	}
	if got.Events[0].T != 200 {
		t.Errorf("events are not in order of time: %+v", got.Events)
	}
}
