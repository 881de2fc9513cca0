package run

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/probe"
)

func demand(port int, p facts.Probe) facts.Target {
	p.Method = "GET"
	if p.TryTimeout == 0 {
		p.TryTimeout = time.Minute
	}
	return facts.Target{Endpoint: facts.Endpoint{Port: port}, Probe: p, BootWindow: time.Minute}
}

var (
	anyStatus = demand(80, facts.Probe{Path: "/"})
	only200   = demand(80, facts.Probe{Path: "/", Accept: []facts.StatusRange{{From: 200, To: 200}}, TryTimeout: time.Second})
	connect   = demand(80, facts.Probe{Path: "/", TCP: true})
	other     = demand(81, facts.Probe{Path: "/up", Accept: []facts.StatusRange{{From: 200, To: 299}}})
)

func TestRequests(t *testing.T) {
	t.Parallel()
	redirects := demand(80, facts.Probe{Path: "/", Accept: []facts.StatusRange{{From: 300, To: 399}}})
	tests := []struct {
		name string
		also []facts.Target
		want []probe.Request
	}{
		{"one target", nil, []probe.Request{{Endpoint: 80, Probe: anyStatus.Probe}}},
		{"the same bytes are sent once", []facts.Target{connect, only200}, []probe.Request{
			{Endpoint: 80, Probe: facts.Probe{Method: "GET", Path: "/", Accept: only200.Probe.Accept, TryTimeout: time.Minute}},
		}},
		{"another port", []facts.Target{other}, []probe.Request{
			{Endpoint: 80, Probe: anyStatus.Probe}, {Endpoint: 81, Probe: other.Probe},
		}},
		{"nothing is good enough for both", []facts.Target{only200, redirects}, []probe.Request{
			{Endpoint: 80, Probe: facts.Probe{Method: "GET", Path: "/", Accept: impossible, TryTimeout: time.Minute}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := Spec{Target: anyStatus, Also: test.also}.Requests()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func responded(t facts.Millis, request, port, status int, took facts.Millis) facts.Event {
	return facts.Event{T: t, Kind: facts.EventAnswer, Answer: &facts.Answer{
		To: outside, Port: port, Class: facts.ClassHTTP, Status: status, Request: request, Asked: t - took, Took: took,
	}}
}

// TestView runs three targets at once: the views are what each run alone
// would have been.
func TestView(t *testing.T) {
	t.Parallel()
	spec := Spec{Target: anyStatus, Also: []facts.Target{only200, other}, Settle: MinSettle}
	record := NewRecord(spec, nil)
	for _, e := range []facts.Event{
		{Kind: facts.EventExec, PID: 1},
		listening(100, anyAddr, 80),
		responded(120, 0, 80, 503, 10),
		responded(2200, 0, 80, 200, 1500), // too late for the second
		responded(3300, 0, 80, 200, 10),
	} {
		record.Event(e)
	}
	record.Write(110, "stdout", []byte("up\n"))
	record.Write(3400, "stdout", []byte("served\n"))
	if stop, next := record.Decide(3650); stop != "" || next <= 3650 {
		t.Fatalf("Decide = %q, %d: the third target has seen nothing yet", stop, next)
	}
	record.Exit()
	stop, _ := record.Decide(5000)
	whole := record.Finish(stop, 5000, &facts.Exit{T: 5000, Code: 1})
	type view struct {
		Stopped facts.Stop
		Took    facts.Millis
		Exited  bool
		Events  int
		Lines   int
		Class   facts.Class
	}
	want := []view{
		{facts.StopAnswered, 120 + 300, false, 3, 1, facts.ClassHTTP},
		{facts.StopAnswered, 3300 + 300, false, 5, 2, facts.ClassHTTP},
		{facts.StopExited, 5000, true, 5, 2, ""},
	}
	for i := range want {
		v := View(whole, spec, i)
		got := view{v.Stopped, v.Took, v.Exit != nil, len(v.Events), len(v.Log.Lines), ""}
		if e, ok := v.Passed(spec.targets()[i].Endpoint.Port, spec.targets()[i].Probe); ok {
			got.Class = e.Answer.Class
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("view %d (-want +got):\n%s", i, diff)
		}
	}
	second := View(whole, spec, 1)
	late := second.Answers(80)[1].Answer
	if late.Class != facts.ClassSilent || late.Took != 1000 {
		t.Errorf("an answer after the second target's patience is %+v", late)
	}
}

func TestViewOfOneTargetIsTheRun(t *testing.T) {
	t.Parallel()
	r := facts.Run{Argv: []string{"a"}, Events: []facts.Event{listening(1, anyAddr, 80)}, Stopped: facts.StopWindow, Took: 9}
	if diff := cmp.Diff(r, View(r, Spec{Target: anyStatus}, 0), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("view (-run +view):\n%s", diff)
	}
}

// TestViewOfALongRun: that the observer was alive all the time is not kept.
func TestViewOfALongRun(t *testing.T) {
	t.Parallel()
	spec := Spec{Target: anyStatus, Also: []facts.Target{only200}, Settle: MinSettle}
	record := NewRecord(spec, nil)
	record.Event(facts.Event{Kind: facts.EventExec, PID: 1})
	for now := facts.Millis(1000); now < 40_000; now += 1000 {
		record.Event(facts.Event{T: now, Kind: facts.EventBeat})
		if stop, _ := record.Decide(now); stop != "" {
			t.Fatalf("stopped by %q at %d", stop, now)
		}
	}
	record.Event(listening(40_000, anyAddr, 80))
	record.Event(responded(40_010, 0, 80, 200, 10))
	record.Event(facts.Event{T: 40_500, Kind: facts.EventBeat})
	stop, _ := record.Decide(42_000)
	whole := record.Finish(stop, 42_000, nil)
	for target := range 2 {
		if got := View(whole, spec, target).Stopped; got != facts.StopAnswered {
			t.Errorf("target %d: stopped by %q, want %q", target, got, facts.StopAnswered)
		}
	}
}
