package facts

import (
	"encoding/json"
	"testing"
)

func TestHeeds(t *testing.T) {
	t.Parallel()
	const term = 15
	bit := SignalSet(1 << (term - 1))
	tests := []struct {
		name   string
		path   string
		argv   []string
		s      Signals
		signal int
		want   Tri
	}{
		{"a handler", "/usr/bin/app", nil, Signals{Caught: bit}, term, Yes},
		{"no handler", "/usr/bin/app", nil, Signals{Waits: No}, term, No},
		{"ignored", "/usr/bin/app", nil, Signals{Ignored: bit, Waits: Yes}, term, No},
		{"blocked for signalfd", "/sbin/init", nil, Signals{Blocked: bit, Waits: No}, term, Unknown},
		{"waited for", "/usr/bin/tini", nil, Signals{Waits: Yes}, term, Unknown},
		{"waiting cannot be seen", "/usr/bin/app", nil, Signals{}, term, Unknown},
		{"a shell's trap", "/usr/bin/dash", []string{"/bin/sh", "x"}, Signals{Caught: bit, Waits: No}, term, Unknown},
		{"a shell without a trap", "/usr/bin/dash", []string{"/bin/sh", "x"}, Signals{Waits: No}, term, No},
		{"busybox as a server", "/bin/busybox", []string{"httpd"}, Signals{Caught: bit, Waits: No}, term, Yes},
		{"busybox as a shell", "/bin/busybox", []string{"sh"}, Signals{Caught: bit, Waits: No}, term, Unknown},
		{"kill", "/usr/bin/app", nil, Signals{Waits: No}, 9, Yes},
		{"no signal", "/usr/bin/app", nil, Signals{Waits: No}, 0, Unknown},
	}
	for _, test := range tests {
		e := Event{Kind: EventSignals, Path: test.path, Argv: test.argv, Signals: &test.s}
		if got := e.Heeds(test.signal); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, name string
		number     int
	}{
		{"", "SIGTERM", 15}, {"SIGINT", "SIGINT", 2}, {"quit", "SIGQUIT", 3}, {"15", "SIGTERM", 15},
		{"SIGRTMIN+3", "SIGRTMIN+3", 37}, {"SIGWINCH", "SIGWINCH", 28}, {"SIGNONE", "SIGNONE", 0}, {"0", "signal 0", 0},
	}
	for _, test := range tests {
		name, number := Config{StopSignal: test.text}.Stopping()
		if name != test.name || number != test.number {
			t.Errorf("%q: %s %d, want %s %d", test.text, name, number, test.name, test.number)
		}
	}
}

func TestSignalSetReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Signals{Caught: 0x8000000000014002})
	if err != nil {
		t.Fatal(err)
	}
	var got Signals
	if err := json.Unmarshal(text, &got); err != nil || got.Caught != 0x8000000000014002 {
		t.Errorf("%s became %+v, %v", text, got, err)
	}
}
