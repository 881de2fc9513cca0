package run

import (
	"net/netip"
	"testing"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

var (
	outside  = netip.MustParseAddr("198.18.0.2")
	loopback = netip.MustParseAddr("127.0.0.1")
	anyAddr  = netip.MustParseAddr("0.0.0.0")
)

// spec is a run on a platform that asks port 8000 and waits three minutes.
func spec(change ...func(*Spec)) Spec {
	s := Spec{Settle: 300 * time.Millisecond, Target: facts.Target{
		Endpoint: facts.Endpoint{Port: 8000}, BootWindow: 3 * time.Minute,
	}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func endpoint(port int) func(*Spec) {
	return func(s *Spec) { s.Target.Endpoint.Port = port }
}

func expect(complete bool, listens ...facts.Listen) func(*Spec) {
	return func(s *Spec) { s.Expect = facts.Prediction{Complete: complete, Listens: listens} }
}

func accept(status int) func(*Spec) {
	return func(s *Spec) { s.Target.Probe.Accept = []facts.StatusRange{{From: status, To: status}} }
}

func loopbackReached(s *Spec) { s.Target.LoopbackReached = true }

func connectOnly(s *Spec) { s.Target.Probe.TCP = true }

func wrapped(s *Spec) { s.Wrapped = true }

func tcp(port int, scope facts.Scope) facts.Listen {
	return facts.Listen{Network: "tcp", Port: port, Scope: scope}
}

func listening(t facts.Millis, addr netip.Addr, port int) facts.Event {
	return facts.Event{T: t, Kind: facts.EventListening, Socket: &facts.Socket{Network: "tcp", Addr: addr, Port: port, Inode: uint32(port)}}
}

func closed(t facts.Millis, addr netip.Addr, port int) facts.Event {
	e := listening(t, addr, port)
	e.Kind = facts.EventClosed
	return e
}

func unixSocket(t facts.Millis, path string) facts.Event {
	return facts.Event{T: t, Kind: facts.EventListening, Socket: &facts.Socket{Network: "unix", Path: path}}
}

func answer(t facts.Millis, to netip.Addr, port int, class facts.Class, status int) facts.Event {
	return facts.Event{T: t, Kind: facts.EventAnswer, Answer: &facts.Answer{To: to, Port: port, Class: class, Status: status}}
}

func process(t facts.Millis, pid, sid int) facts.Event {
	return facts.Event{T: t, Kind: facts.EventProcess, Process: &facts.Process{PID: pid, SID: sid}}
}

func beat(t, cpu facts.Millis) facts.Event {
	return facts.Event{T: t, Kind: facts.EventBeat, CPU: cpu}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	loop8000 := []facts.Event{
		listening(400, loopback, 8000),
		answer(405, outside, 8000, facts.ClassRefused, 0),
		answer(407, loopback, 8000, facts.ClassHTTP, 200),
	}
	tests := []struct {
		name   string
		spec   Spec
		events []facts.Event
		logged facts.Millis // the time of a last log line
		stop   facts.Stop
		at     facts.Millis
	}{
		{"nothing happens", spec(), nil, 0, facts.StopWindow, 270_000},
		{"a short window is watched ten seconds longer", spec(func(s *Spec) { s.Target.BootWindow = 5 * time.Second }), nil, 0, facts.StopWindow, 15_000},
		{"what is known never to listen gets the window alone", spec(func(s *Spec) { s.Expect = facts.Prediction{Complete: true} }), nil, 0, facts.StopWindow, 180_000},
		{"an answer after the window counts as one", spec(), []facts.Event{
			listening(200_000, anyAddr, 8000), answer(200_010, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 200_310},
		{"a log that never pauses does not hold the run for ever", spec(), loop8000, 55_000, facts.StopQuiet, 60_400},
		{"a good answer settles", spec(), []facts.Event{
			listening(500, anyAddr, 8000), answer(510, outside, 8000, facts.ClassHTTP, 404),
		}, 0, facts.StopAnswered, 810},
		{"settling is never shorter than it takes a daemon to leave", spec(func(s *Spec) { s.Settle = 0 }), []facts.Event{
			listening(500, anyAddr, 8000), answer(510, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 810},
		{"a process in a session of its own settles longer", spec(), []facts.Event{
			process(0, 1, 1), process(100, 9, 9), listening(500, anyAddr, 8000), answer(510, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 1510},
		{"the first good answer counts", spec(), []facts.Event{
			listening(500, anyAddr, 8000), answer(510, outside, 8000, facts.ClassHTTP, 200), answer(700, outside, 8000, facts.ClassHTTP, 204),
		}, 0, facts.StopAnswered, 810},
		{"a good answer at the end of the window still settles", spec(), []facts.Event{
			listening(500, anyAddr, 8000), answer(179_900, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 180_200},
		{"an answer on loopback is not good", spec(), loop8000, 0, facts.StopQuiet, 15_400},
		{"unless the platform asks from inside", spec(loopbackReached), loop8000, 0, facts.StopAnswered, 707},
		{"a platform that only connects takes any answer", spec(connectOnly), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassOther, 0),
		}, 0, facts.StopAnswered, 710},
		{"a platform that only connects takes no refusal", spec(connectOnly), []facts.Event{
			listening(400, anyAddr, 3000), answer(410, outside, 8000, facts.ClassRefused, 0),
		}, 0, facts.StopQuiet, 15_400},
		{"a complete prediction of loopback proves it", spec(expect(true, tcp(8000, facts.ScopeLoopback))), loop8000, 0, facts.StopProof, 705},
		{"an incomplete prediction does not", spec(expect(false, tcp(8000, facts.ScopeLoopback))), loop8000, 0, facts.StopQuiet, 15_400},
		{"a refuted prediction does not", spec(expect(true, tcp(8000, facts.ScopeAny))), loop8000, 0, facts.StopQuiet, 15_400},
		{"half a prediction does not", spec(expect(true, tcp(8000, facts.ScopeLoopback), tcp(9000, facts.ScopeAny))), loop8000, 0, facts.StopQuiet, 15_400},
		{"an unknown scope does not", spec(expect(true, tcp(8000, facts.ScopeUnknown))), loop8000, 0, facts.StopQuiet, 15_400},
		{"proof waits until the listener was asked", spec(expect(true, tcp(3000, facts.ScopeAny))), []facts.Event{
			listening(400, anyAddr, 3000),
		}, 0, facts.StopQuiet, 15_400},
		{"the wrong port, as predicted", spec(expect(true, tcp(3000, facts.ScopeAny))), []facts.Event{
			listening(400, anyAddr, 3000), answer(710, outside, 3000, facts.ClassHTTP, 200),
		}, 0, facts.StopProof, 1010},
		{"the wrong port, not predicted", spec(), []facts.Event{
			listening(400, anyAddr, 3000), answer(710, outside, 3000, facts.ClassHTTP, 200),
		}, 0, facts.StopQuiet, 15_400},
		{"a log line restarts the quiet", spec(), []facts.Event{listening(400, anyAddr, 3000)}, 9000, facts.StopQuiet, 24_000},
		{"a process restarts the quiet", spec(), []facts.Event{listening(400, anyAddr, 3000), process(5000, 8, 1)}, 0, facts.StopQuiet, 20_000},
		{"a debug port and then the real one", spec(), []facts.Event{
			listening(400, loopback, 9229), listening(4400, anyAddr, 8000), answer(4410, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 4710},
		{"a listener that went away is no listener", spec(), []facts.Event{
			listening(400, anyAddr, 3000), closed(900, anyAddr, 3000),
		}, 0, facts.StopWindow, 270_000},
		{"only a unix socket", spec(), []facts.Event{unixSocket(400, "/run/php.sock")}, 0, facts.StopWindow, 270_000},
		{"only a unix socket, as predicted", spec(expect(true, facts.Listen{Network: "unix", Path: "/run/php.sock"})), []facts.Event{
			unixSocket(400, "/run/php.sock"),
		}, 0, facts.StopProof, 700},
		{"a prediction of nothing proves nothing", spec(expect(true)), []facts.Event{listening(400, loopback, 8000)}, 0, facts.StopQuiet, 15_400},
		{"another protocol", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassOther, 0),
		}, 0, facts.StopProof, 710},
		{"TLS", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassTLS, 0),
		}, 0, facts.StopProof, 710},
		{"closed without a byte", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassClosed, 0),
		}, 0, facts.StopProof, 5410},
		{"closed, then reset, then good", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassClosed, 0),
			answer(600, outside, 8000, facts.ClassReset, 0), answer(5000, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 5300},
		{"closed as a predicted FastCGI server does", spec(expect(false, facts.Listen{Network: "tcp", Port: 8000, Protocol: "fastcgi"})), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassClosed, 0),
		}, 0, facts.StopProof, 710},
		{"accepted and silent", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(60_400, outside, 8000, facts.ClassSilent, 0),
		}, 0, facts.StopWindow, 270_000},
		{"a status that is refused and final", spec(accept(200)), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassHTTP, 404),
		}, 0, facts.StopQuiet, 15_410},
		{"a status of a boot", spec(accept(200)), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassHTTP, 503),
		}, 0, facts.StopWindow, 270_000},
		{"no port to ask: any answer from outside", spec(endpoint(0)), []facts.Event{
			listening(400, anyAddr, 3000), answer(710, outside, 3000, facts.ClassHTTP, 200),
		}, 0, facts.StopAnswered, 1010},
		{"no port to ask: loopback", spec(endpoint(0)), []facts.Event{
			listening(400, loopback, 3000), answer(710, loopback, 3000, facts.ClassHTTP, 200),
		}, 0, facts.StopQuiet, 15_400},
		{"work restarts the quiet", spec(), []facts.Event{listening(400, anyAddr, 3000), beat(9000, 50), beat(10_000, 0)}, 0, facts.StopQuiet, 24_000},
		{"work holds it longer than a log does", spec(), []facts.Event{listening(400, anyAddr, 3000), beat(80_000, 900), beat(81_000, 0)}, 0, facts.StopQuiet, 95_000},
		{"idling does not", spec(), []facts.Event{listening(400, anyAddr, 3000), beat(9000, 40)}, 0, facts.StopQuiet, 15_400},
		{"work after a closed connection", spec(), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassClosed, 0), beat(3000, 500),
		}, 0, facts.StopProof, 8000},
		{"the observer fell silent", spec(), []facts.Event{{T: 1000, Kind: facts.EventBeat}, {T: 2000, Kind: facts.EventBeat}}, 0, facts.StopLost, 17_000},
		{"the observer is gone", spec(), []facts.Event{{T: 1000, Kind: facts.EventLost}}, 0, facts.StopLost, 6000},
		{"wrapped: an answer does not end it", spec(wrapped), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassHTTP, 200),
		}, 0, facts.StopWindow, 180_000},
		{"wrapped: the main process ended", spec(wrapped), []facts.Event{
			listening(400, anyAddr, 8000), answer(410, outside, 8000, facts.ClassHTTP, 200),
			{T: 600, Kind: facts.EventMainExit, Exit: &facts.Exit{}},
		}, 0, facts.StopSurvivors, 15_600},
		{"wrapped: quiet is no reason", spec(wrapped), loop8000, 0, facts.StopWindow, 180_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := NewDecider(tt.spec)
			for _, e := range tt.events {
				d.Event(e)
			}
			if tt.logged > 0 {
				d.Log(tt.logged, "a line")
			}
			if stop, next := d.Decide(tt.at - 1); stop != "" || next != tt.at {
				t.Errorf("before: got %q, ask again at %d, want to be asked at %d", stop, next, tt.at)
			}
			if stop, _ := d.Decide(tt.at); stop != tt.stop {
				t.Errorf("at %d: got %q, want %q", tt.at, stop, tt.stop)
			}
		})
	}
}

func TestDecideExit(t *testing.T) {
	t.Parallel()
	d := NewDecider(spec())
	d.Event(listening(400, anyAddr, 8000))
	d.Event(answer(410, outside, 8000, facts.ClassHTTP, 200))
	d.Exit()
	if stop, _ := d.Decide(600); stop != facts.StopExited {
		t.Errorf("a good answer and then an exit: got %q, want %q", stop, facts.StopExited)
	}
	w := NewDecider(spec(wrapped))
	w.Exit()
	if stop, _ := w.Decide(600); stop != facts.StopExited {
		t.Errorf("a wrapped run without a main exit: got %q, want %q", stop, facts.StopExited)
	}
	w.Event(facts.Event{T: 500, Kind: facts.EventMainExit, Exit: &facts.Exit{}})
	if stop, _ := w.Decide(600); stop != facts.StopSurvivors {
		t.Errorf("a wrapped run with a main exit: got %q, want %q", stop, facts.StopSurvivors)
	}
}
