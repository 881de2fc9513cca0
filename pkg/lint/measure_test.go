package lint

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestBootOf(t *testing.T) {
	t.Parallel()
	answer := func(at, asked facts.Millis) facts.Event {
		return facts.Event{T: at, Kind: facts.EventAnswer, Answer: &facts.Answer{
			To: netip.MustParseAddr("198.18.0.2"), Class: facts.ClassHTTP, Status: 200, Asked: asked, Took: at - asked,
		}}
	}
	queue := facts.Event{T: 1600, Kind: facts.EventQueue, Socket: &facts.Socket{Queue: 1}}
	log := func(at facts.Millis, text string) facts.Log {
		return facts.Log{Lines: []facts.LogLine{{T: 1, Text: "other"}, {T: at, Text: text}}}
	}
	tests := map[string]struct {
		run  facts.Run
		want facts.Boot
	}{
		"never answered": {facts.Run{Took: 9000, Events: []facts.Event{queue}}, facts.Boot{Within: 9000}},
		"boots": {
			facts.Run{Took: 9000, Events: []facts.Event{queue, answer(8500, 600)}, Log: log(500, "[INFO] Booting worker with pid: 8")},
			facts.Boot{Took: 8000, Within: 9000},
		},
		"boots, and does not say when": {facts.Run{Took: 9000, Events: []facts.Event{queue, answer(8500, 600)}}, facts.Boot{Took: 8500, Within: 9000}},
		"puma": {
			facts.Run{Took: 9000, Events: []facts.Event{answer(8500, 8400)}, Log: log(300, "Puma starting in single mode...")},
			facts.Boot{Took: 8200, Within: 9000},
		},
		"the request": {
			facts.Run{Took: 9000, Events: []facts.Event{answer(8600, 600)}, Log: log(500, "[INFO] Booting worker with pid: 8")},
			facts.Boot{Took: 8000, Within: 9000, Request: true},
		},
	}
	for name, tt := range tests {
		if diff := cmp.Diff(&tt.want, bootOf(&tt.run)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEnough(t *testing.T) {
	t.Parallel()
	config := facts.Config{Cmd: []string{"gunicorn", "shop:app"}}
	command := facts.Command{Argv: []facts.Word{{Text: "gunicorn", Known: true}, {Text: "shop:app", Known: true}}}
	command.Origin.Field = "CMD"
	f := &facts.Facts{Image: facts.Image{Config: config}, Launch: facts.Launch{Argv: config.Cmd, Known: facts.Yes, Command: command}}
	offered := []facts.Remedy{{Argv: []string{"gunicorn", "--timeout", "120", "shop:app"}, Description: "as offered"}}
	for took, want := range map[facts.Millis]string{0: "120", 8000: "60", 30_000: "60", 35_000: "60", 100_000: "150"} {
		f.Boot = &facts.Boot{Took: took}
		got := enough(offered, f)[0]
		if got.Argv[2] != want || took > 0 && got.Change.Cmd[2] != want {
			t.Errorf("%s: %q, %q, want %s", took.Duration(), got.Argv, got.Change.Cmd, want)
		}
		if offered[0].Argv[2] != "120" {
			t.Fatal("changed what it was given")
		}
	}
}
