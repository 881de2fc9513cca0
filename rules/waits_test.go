package rules

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/rule"
)

func TestAwaited(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"nc -z db 5432":                          "db 5432",
		"nc -zv -w 2 db.internal 5432":           "db.internal 5432",
		"nc.openbsd -w2 10.0.0.9 6379":           "10.0.0.9 6379",
		"telnet db 3306":                         "db 3306",
		"timeout 1 nc -z db 5432":                "db 5432",
		"timeout -s KILL 1 nc -z db 5432":        "",
		"pg_isready -h db -p 5433 -U shop":       "db 5433",
		"pg_isready -hdb":                        "db ",
		"pg_isready --host=db --port=5433":       "db 5433",
		"pg_isready -d postgres://u:p@db:1/shop": "db 1",
		"psql -h db -U shop -c select 1":         "db ",
		"mysqladmin ping -h db --silent":         "db ",
		"mysql --host db -P 3307 -e select 1":    "db 3307",
		"redis-cli -h cache -p 6380 ping":        "cache 6380",
		"/usr/bin/wait-for-it db:5432 -t 0":      "db 5432",
		"bash /srv/wait-for-it.sh db:5432":       "db 5432",
		"bash wait-for-it.sh -h db -p 5432":      "db 5432",
		"dockerize -wait tcp://db:5432 app":      "db 5432",
		"wait-on tcp:db:5432":                    "db 5432",
		"curl -fsS http://auth:8080/health":      "auth 8080",
		"wget -q -O- https://auth/health":        "auth ",
		"ping -c 1 db":                           "db",
		"getent hosts db":                        "db",
		"bash -c </dev/tcp/db/5432":              "db 5432",
		"timeout 1 bash -c echo>/dev/tcp/db/54":  "db 54",
		"cqlsh db":                               "db",
		// The container itself, a server, and other work.
		"nc -z localhost 8000":                   "",
		"nc -l -p 8000":                          "",
		"nc -l 0.0.0.0 8000":                     "",
		"nc -lk 8000":                            "",
		"pg_isready":                             "",
		"pg_isready -h 127.0.0.1":                "",
		"mysqladmin ping --socket /run/mysqld.s": "",
		"psql -c select 1":                       "",
		"curl -fsS http://localhost:8080/health": "",
		"curl -fsS http://127.0.0.1/":            "",
		"redis-server --port 6379":               "",
		"redis-cli ping":                         "",
		"sleep 1":                                "",
		"bash":                                   "",
		"python3 app.py db:5432":                 "",
		"gunicorn --bind 0.0.0.0:8000 shop:app":  "",
		"nc -z $DB_HOST 5432":                    "",
		"ping -c 1":                              "",
		"sh -c exec httpd -f -p 8000":            "",
		"getent passwd shop":                     "",
		"timeout 60":                             "",
	}
	for command, want := range tests {
		got, ok := awaited(strings.Fields(command))
		if s := strings.TrimSpace(got.host + " " + got.port); s != strings.TrimSpace(want) || ok != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", command, s, ok, want)
		}
		if (Signs{}).Awaits(strings.Fields(command), &facts.Launch{}) != (want != "") {
			t.Errorf("%s: Awaits says otherwise", command)
		}
	}
}

func TestKillsBooting(t *testing.T) {
	t.Parallel()
	old, recent := &facts.Prediction{Gunicorn: &facts.Gunicorn{KillsBooting: facts.Yes}}, &facts.Prediction{Gunicorn: &facts.Gunicorn{KillsBooting: facts.No}}
	tests := []struct {
		line string
		p    *facts.Prediction
		want bool
	}{
		{"[2026-11-22 08:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:12)", old, true},
		{"[2026-11-22 08:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:12)", recent, false},
		{"[2026-11-22 08:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:12)", &facts.Prediction{}, false},
		{"[2026-11-22 08:00:00 +0000] [7] [INFO] Booting worker with pid: 12", old, false},
		{"[7] ! Terminating timed out worker (worker failed to boot within 60 seconds): 12", &facts.Prediction{}, true},
		{"[7] ! Terminating timed out worker (worker failed to check in within 60 seconds): 12", &facts.Prediction{}, false},
	}
	for _, tt := range tests {
		if got := (Signs{}).KillsBooting(tt.line, tt.p); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.line, got, tt.want)
		}
	}
}

// TestWaitsAtStart: a container waits for a service when, since it first asked,
// nothing else was started.
func TestWaitsAtStart(t *testing.T) {
	t.Parallel()
	ran := func(commands ...string) (events []facts.Event) {
		for i, c := range commands {
			events = append(events, facts.Event{T: facts.Millis(i), Kind: facts.EventProcess, Process: &facts.Process{PID: i + 1, Argv: strings.Fields(c)}})
		}
		return events
	}
	words := func(line string) (argv []facts.Word) {
		for _, w := range strings.Fields(line) {
			argv = append(argv, facts.Word{Text: w, Known: true})
		}
		return argv
	}
	loop := facts.Command{Argv: []facts.Word{{Text: "until nc -z db 5432; do sleep 1; done"}}, Runs: []facts.Command{{Argv: words("nc -z db 5432")}, {Argv: words("sleep 1")}}}
	shell := facts.Command{Argv: []facts.Word{{Text: `until </dev/tcp/"${DB}"/5432; do sleep 1; done`}}, Env: []string{"DB=db"}}
	listens := facts.Event{Kind: facts.EventListening, Socket: &facts.Socket{Network: "tcp", Addr: netip.MustParseAddr("0.0.0.0"), Port: 9000}}
	tests := []struct {
		name   string
		events []facts.Event
		before []facts.Command
		then   string // the last command
		exit   *facts.Exit
		want   string
	}{
		{"asks and sleeps", ran("sh start.sh", "nc -z db 5432", "sleep 1", "nc -z db 5432", "sleep 1"), nil, "httpd -f", nil, "db 5432"},
		{"works first", ran("sh start.sh", "migrate", "nc -z db 5432", "sleep 1"), nil, "httpd -f", nil, "db 5432"},
		{"forks the shell", ran("sh start.sh", "nc -z db 5432", "sh start.sh", "sleep 1"), nil, "httpd -f", nil, "db 5432"},
		{"goes on", ran("sh start.sh", "nc -z db 5432", "sleep 1", "httpd -f"), nil, "httpd -f", nil, ""},
		{"goes on, and asks for another", ran("sh start.sh", "nc -z db 5432", "sleep 1", "migrate", "nc -z cache 6379", "sleep 1"), nil, "httpd -f", nil, "cache 6379"},
		{"goes on, and sleeps", ran("sh start.sh", "sleep 1", "worker", "sleep 1"), []facts.Command{loop}, "httpd -f", nil, ""},
		{"listens", append(ran("sh start.sh", "nc -z db 5432", "sleep 1"), listens), nil, "httpd -f", nil, ""},
		{"has ended", ran("sh start.sh", "nc -z db 5432"), nil, "httpd -f", &facts.Exit{Code: 1}, ""},
		{"asks itself", ran("sh start.sh", "nc -z localhost 9000", "sleep 1"), nil, "httpd -f", nil, ""},
		{"asks unseen", ran("sh start.sh", "sleep 1", "sleep 1"), []facts.Command{loop}, "httpd -f", nil, "db 5432"},
		{"asks in the shell", ran("bash start.sh", "sleep 1", "sleep 1"), []facts.Command{shell}, "httpd -f", nil, "db 5432"},
		{"only sleeps", ran("sh start.sh", "sleep 1", "sleep 1"), nil, "httpd -f", nil, ""},
		{"sleeps in the end", ran("sh start.sh", "sleep 1", "sleep infinity"), []facts.Command{loop}, "sleep infinity", nil, ""},
	}
	for _, tt := range tests {
		f := &facts.Facts{Run: &facts.Run{Argv: []string{"sh", "start.sh"}, Events: tt.events, Exit: tt.exit}}
		f.Launch.Before, f.Launch.Command.Argv = tt.before, words(tt.then)
		w, ok := waitsAtStart(&rule.Pass{Facts: f})
		if got := strings.TrimSpace(w.host + " " + w.port); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: waits for %q, %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}
