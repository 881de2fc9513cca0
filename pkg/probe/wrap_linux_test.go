package probe

import (
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func TestWrap(t *testing.T) {
	t.Parallel()
	cfg := testConfig
	cfg.SurvivorsFor = 1500
	serve := `"$0" ` + roleServe + ` http=200 tcp4 0.0.0.0:8000`
	type survivor struct {
		word string
		own  bool // session
		died bool // before the end
	}
	tests := map[string]struct {
		script    string
		status    int
		signal    string
		survivors []survivor
	}{
		"ends":               {script: "exit 3", status: 3},
		"killed":             {script: "kill -9 $$", status: 137, signal: "SIGKILL"},
		"shell &":            {script: "sleep 60 & exit 0", survivors: []survivor{{word: "sleep"}}},
		"shell & that ends":  {script: "sleep 0.4 & exit 0", survivors: []survivor{{word: "sleep", died: true}}},
		"daemon":             {script: "setsid sleep 60 < /dev/null & exit 0", survivors: []survivor{{word: "sleep", own: true}}},
		"setsid as leader":   {script: "exec setsid sleep 60", survivors: []survivor{{word: "sleep", own: true}}},
		"killed before":      {script: "sleep 60 & sleep 0.2; kill $!; sleep 0.3; exit 0"},
		"killed together":    {script: "sleep 60 & sleep 0.3; kill -9 0", status: 137, signal: "SIGKILL", survivors: []survivor{{word: "sleep", died: true}}},
		"serving daemon":     {script: "setsid " + serve + " & sleep 0.5; exit 0", survivors: []survivor{{word: roleServe, own: true}}},
		"foreground in time": {script: "sleep 0.2; exit 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := watch(t, RoleWrap, cfg, setup{}, "sh", "-c", tt.script, self(roleServe)[0])
			if status := w.end(); status != tt.status {
				t.Errorf("exit status %d, want %d: %s", status, tt.status, w.stderr.String())
			}
			exits := w.of(facts.EventMainExit)
			if len(exits) != 1 || exits[0].Exit.Code != tt.status || exits[0].Exit.Signal != tt.signal {
				t.Fatalf("main exits: %s", w.told())
			}
			found := w.of(facts.EventSurvivor)
			if len(found) != len(tt.survivors) {
				t.Fatalf("%d survivors, want %d:\n%s", len(found), len(tt.survivors), w.told())
			}
			program := w.of(facts.EventExec)[0].PID
			for i, want := range tt.survivors {
				got := found[i].Process
				if !strings.Contains(strings.Join(got.Argv, " "), want.word) {
					t.Errorf("survivor %q, want %q", got.Argv, want.word)
				}
				if own := got.SID != program; own != want.own {
					t.Errorf("session %d of %q, program %d", got.SID, got.Argv, program)
				}
				if died := got.Alive < 1400; died != want.died {
					t.Errorf("%q lived %d ms on", got.Argv, got.Alive)
				}
			}
		})
	}
}

// The program is a session leader whose parent is not PID 1, and has what it
// would have as PID 1.
func TestWrapImitates(t *testing.T) {
	t.Parallel()
	w := watch(t, RoleWrap, testConfig, setup{}, "sh", "-c",
		`cut -d ' ' -f 1,4,6 /proc/$$/stat; tr '\0' '|' < /proc/1/cmdline; echo; echo "$GREETING"; readlink /proc/$$/fd/0`)
	if status := w.end(); status != 0 {
		t.Fatalf("exit status %d: %s", status, w.stderr.String())
	}
	lines := strings.Split(w.log.String(), "\n")
	stat := strings.Fields(lines[0])
	if stat[0] != stat[2] || stat[1] == "1" {
		t.Errorf("pid, ppid, sid: %s", lines[0])
	}
	if strings.Contains(lines[1], encode(t, testConfig)) || !strings.Contains(lines[1], RoleWrap) {
		t.Errorf("the config shows in the command line: %s", lines[1])
	}
	if !slices.Equal(lines[2:4], []string{"hello", "/dev/null"}) {
		t.Errorf("environment and stdin: %q", lines[2:])
	}
}

// What the endpoint answered before the main process ended proves nothing
// about what is left: it is asked again.
func TestWrapAsksSurvivors(t *testing.T) {
	t.Parallel()
	cfg := testConfig
	cfg.SurvivorsFor = 10_000
	serve := `"$0" ` + roleServe + ` http=200 tcp4 0.0.0.0:8000`
	w := watch(t, RoleWrap, cfg, setup{}, "sh", "-c", "setsid "+serve+" & sleep 1; exit 0", self(roleServe)[0])
	if status := w.end(); status != 0 {
		t.Errorf("exit status %d: %s", status, w.stderr.String())
	}
	left := w.of(facts.EventMainExit)[0].T
	after := slices.ContainsFunc(w.of(facts.EventAnswer), func(e facts.Event) bool {
		return e.T >= left && e.Answer.Status == 200
	})
	if !after {
		t.Errorf("no answer after the main process had ended:\n%s", w.told())
	}
	survivors := w.of(facts.EventSurvivor)
	if len(survivors) != 1 || survivors[0].Process.Alive < 2000 || survivors[0].Process.Alive > 6000 {
		t.Errorf("a survivor with a listener is watched for 2 s:\n%s", w.told())
	}
}
