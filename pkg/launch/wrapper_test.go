package launch

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

// TestWrapperGrammar: the grammar of every wrapper of the table, with what
// comes out; a text that starts with ! is why nobody can tell.
func TestWrapperGrammar(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{"tini -g -s -- a -b", "a|-b"}, {"tini -p SIGTERM a", "a"}, {"tini-static a", "a"}, {"docker-init -- a -x", "a|-x"}, {"tini a -b", "!unless --"},
		{"dumb-init -c -r 15:3 --rewrite=1:2 a -b", "a|-b"}, {"catatonit -g -- a -b", "a|-b"},
		{"gosu u:g a -b", "a|-b"}, {"su-exec 1:2 a", "a"}, {"setpriv --reuid=1 --regid 2 --init-groups --no-new-privs -- a -b", "a|-b"},
		{"chpst -u nobody -P -m100 a -b", "a|-b"}, {"chpst -e /env a", "!adds variables"}, {"setuidgid u a", "a"}, {"s6-setuidgid u a -b", "a|-b"}, {"envuidgid u a", "a"}, {"s6-envuidgid u a", "a"},
		{"softlimit -m 100 -o 5 a -b", "a|-b"}, {"envdir /e a", "!adds variables"}, {"s6-envdir /e a", "!adds variables"}, {"setlock -n /l a -b", "a|-b"},
		{"numactl --interleave=all -N 0 a -b", "a|-b"}, {"with-contenv a", "a"}, {"s6-notifyoncheck -d -n 300 -w 1000 -c check a -b", "a|-b"}, {"unbuffer -p a", "a"},
		{"env -u X -C /d A=1 a -b", "a|-b"}, {"env -i a", "a"}, {"nohup a", "a"}, {"nice -n 5 a", "a"}, {"nice -5 a", "a"}, {"ionice -c2 -n 7 a", "a"}, {"stdbuf -oL -eL a", "a"}, {"time -p a", "a"},
		{"timeout -k 5 -s TERM --preserve-status 60s a -x", "a|-x"}, {"setsid -w a", "a"}, {"flock -n /l a -b", "a|-b"}, {"flock /l -c a", "a"}, {"script -qefc a /dev/null", "a"}, {"script -q", "!starts a shell"},
		{"taskset -c 0,1 a", "a"}, {"chrt -r 5 a", "a"}, {"choom -n 5 a", "a"}, {"prlimit --nofile=9 a", "a"},
		{"sudo -E -u u A=1 a -b", "a|-b"}, {"sudo -b a", "a"}, {"daemon -f a", "a"}, {"daemonize -a a", "a"},
		{"wait-for-it h:1 -t 3 -- a -b", "a|-b"}, {"wait-for-it.sh -q h:1 --strict -- a", "a"}, {"wait-for h:1 -- a", "a"}, {"wait-for.sh h:1 -t 9 -- a", "a"}, {"wait-for-it h:1 a", "!needs --"},
		{"dockerize -wait tcp://h:1 -timeout=5s a -b", "a|-b"}, {"newrelic-admin run-program a", "a"}, {"newrelic-admin validate-config", "newrelic-admin|validate-config"},
		{"ddtrace-run -d a -b", "a|-b"}, {"opentelemetry-instrument --traces_exporter console --service_name x a -b", "a|-b"},
		{"poetry -n run a -b", "a|-b"}, {"poetry install", "poetry|install"}, {"uv run --no-sync --with x a -b", "a|-b"}, {"uv run app.py", "python|app.py"},
		{"conda run -n e --no-capture-output a -b", "a|-b"}, {"mamba run -n e a", "a"}, {"micromamba run -p /e a", "a"}, {"micromamba run -e X=1 a", "!adds variables"},
		{"rbenv exec a -b", "a|-b"}, {"nodenv exec a", "a"}, {"pyenv exec a", "a"}, {"asdf exec a", "a"}, {"mise exec a", "a"}, {"corepack a b", "a|b"}, {"rye run a", "a"}, {"rvm-exec exec a", "a"},
		{"bundle exec --keep-file-descriptors a -b", "a|-b"}, {"npx -y -p x a -b", "a|-b"}, {"npx -c a", "a"}, {"bunx a", "a"}, {"pnpx a", "a"},
		{"cross-env A=1 a -b", "a|-b"}, {"cross-env-shell A=1 a -b", "a|-b"}, {"dotenv -e .x -o -- a -b", "a|-b"}, {"env-cmd -f .x a", "a"}, {"env-cmd -e prod a", "!adds variables"}, {"watchmedo auto-restart -d . -- a -b", "a|-b"},
		{"xvfb-run -a -s x a", "!hangs for ever"}, {"doppler run -p x -- a", "!adds variables"}, {"infisical run -- a", "!adds variables"}, {"op run -- a", "!adds variables"},
		{"dotenvx run -f .x -- a -b", "a|-b"}, {"chamber exec s -- a", "!adds variables"}, {"aws-vault exec p -- a", "!adds variables"}, {"berglas exec -- a", "!adds variables"}, {"teller run -- a", "!adds variables"},
		{"vault-env a", "!adds variables"}, {"envconsul -upcase -prefix p -- a", "!adds variables"}, {"sops exec-env f a", "!adds variables"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		words := strings.Fields(tt.line)
		seen[path.Base(words[0])] = true
		l := Follow(facts.Config{Cmd: words, WorkingDir: "/app"}, nil, image(nil))
		why, refused := strings.CutPrefix(tt.want, "!")
		switch {
		case refused && (l.Known == facts.Yes || !strings.Contains(l.Why, why)):
			t.Errorf("%s: Known %q, Why %q, want %q", tt.line, l.Known, l.Why, why)
		case !refused && (l.Known != facts.Yes || spell(l.Command) != tt.want):
			t.Errorf("%s: %s (%s), want %s", tt.line, spell(l.Command), l.Why, tt.want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wrapperTable())) {
		if !seen[name] {
			t.Errorf("no line tries %s", name)
		}
	}
}

func TestEnvFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{"app/.env": "# x\nexport A=1\nB='x y' \nC=\"a b\"\nD=$A\nE=plain # comment\nPORT=7\n"}
	for line, want := range map[string]string{
		"dotenv -- sh -c 'a $PORT $A'":        "a|9|1",
		"dotenv -- sh -c 'a $B $C $E'":        "a|x|y|a|b|plain",
		"env-cmd sh -c 'a $PORT'":             "a|7",
		"dotenvx run -- sh -c 'a $PORT $A'":   "a|9|1",
		"dotenv -e .none -- sh -c 'a $PORT'":  "a|9",
		"dotenv -- sh -c 'a \"$D\"'":          `a|<"$D">`,
		"honcho run sh -c 'a $PORT'":          "a|7",
		"dotenv -e /app/.env sh -c 'a $PORT'": "a|9",
	} {
		words, ok := quotedWords(strings.ReplaceAll(line, "$", "\x01"))
		if !ok {
			t.Fatal(line)
		}
		all := texts(words)
		for i := range all {
			all[i] = strings.ReplaceAll(all[i], "\x01", "$")
		}
		l := Follow(facts.Config{Cmd: all, WorkingDir: "/app"}, []string{"PORT=9"}, image(files))
		if spell(l.Command) != want {
			t.Errorf("%s: %s (%s), want %s", line, spell(l.Command), l.Why, want)
		}
	}
	if l := Follow(facts.Config{Cmd: []string{"dotenv", "a"}}, nil, nil); l.Known == facts.Yes {
		t.Error("an .env that was not examined decides nothing")
	}
}
