package launch

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// image is a small root file system: Debian's merged /usr and dash.
func image(extra map[string]string) fstest.MapFS {
	files := fstest.MapFS{
		"bin":             {Data: []byte("usr/bin"), Mode: fs.ModeSymlink | 0o777},
		"sbin":            {Data: []byte("usr/sbin"), Mode: fs.ModeSymlink | 0o777},
		"usr/bin/dash":    {Data: elfHead(62, "/lib64/ld-linux-x86-64.so.2"), Mode: 0o755},
		"usr/bin/sh":      {Data: []byte("dash"), Mode: fs.ModeSymlink | 0o777},
		"usr/bin/bash":    {Data: elfHead(62, ""), Mode: 0o755},
		"usr/bin/env":     {Data: elfHead(62, ""), Mode: 0o755},
		"usr/bin/python3": {Data: elfHead(62, ""), Mode: 0o755},
		"etc/passwd":      {Data: []byte("root:x:0:0::/root:/bin/sh\nredis:x:999:998::/:/bin/sh\n"), Mode: 0o644},
		"etc/group":       {Data: []byte("root:x:0:\nweb:x:50:redis\n"), Mode: 0o644},

		"lib64/ld-linux-x86-64.so.2": {Data: []byte("x"), Mode: 0o755},
	}
	for name, text := range extra {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		files[name] = &fstest.MapFile{Data: []byte(text), Mode: mode}
	}
	return files
}

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func TestFollow(t *testing.T) {
	t.Parallel()
	type want struct {
		argv   string // words joined with |, unknown ones in < >
		known  facts.Tri
		why    string // substring
		shell  string
		ends   string // substring
		before string
		back   string
		user   string
		dir    string
	}
	tests := []struct {
		name       string
		entrypoint []string
		cmd        []string
		env        []string
		files      map[string]string
		want       want
	}{
		{name: "no command", want: want{known: "yes"}},
		{name: "exec form", cmd: []string{"gunicorn", "app:app"}, want: want{argv: "gunicorn|app:app", known: "yes"}},
		{name: "shell form on dash", cmd: sh("gunicorn app:app"), want: want{argv: "gunicorn|app:app", known: "yes", shell: "sh"}},
		{name: "exec replaces dash", cmd: sh("exec gunicorn app:app"), want: want{argv: "gunicorn|app:app", known: "yes"}},
		{name: "bash executes in place", cmd: []string{"bash", "-lc", "echo a; gunicorn app"}, want: want{argv: "gunicorn|app", known: "yes"}},
		{name: "bash with a pipefail option", cmd: []string{"/bin/bash", "-o", "pipefail", "-c", "gunicorn app"}, want: want{argv: "gunicorn|app", known: "yes"}},
		{name: "bash with a redirection stays", cmd: []string{"bash", "-c", "gunicorn app 2>&1"}, want: want{argv: "gunicorn|app", known: "yes", shell: "bash"}},
		{name: "cluster euxo takes a word", cmd: []string{"bash", "-euxo", "pipefail", "-c", "exec a"}, want: want{argv: "a", known: "yes"}},
		{name: "words after the script are its arguments", cmd: append(sh(`exec python3 -m http.server "$0" $1`), "8123", "x"), want: want{argv: "python3|-m|http.server|8123|x", known: "yes"}},
		{name: "sh -c splits", cmd: []string{"sh", "-c", "python3", "-m", "http.server"}, want: want{argv: "python3", known: "yes", shell: "sh"}},
		{name: "shell form entrypoint ignores cmd", entrypoint: sh("gunicorn app"), cmd: []string{"x"}, want: want{argv: "gunicorn|app", known: "yes", shell: "sh"}},
		{name: "variables", env: []string{"PORT=5000"}, cmd: sh("exec gunicorn -b 0.0.0.0:$PORT ${HOST:-h} ${PORT:+yes} ${X-d} '$PORT' \\$PORT"), want: want{argv: "gunicorn|-b|0.0.0.0:5000|h|yes|d|$PORT|$PORT", known: "yes"}},
		{name: "unset and unquoted vanishes", cmd: sh(`exec puma -p $PORT "$PORT" x`), want: want{argv: "puma|-p||x", known: "yes"}},
		{name: "empty is not unset", env: []string{"A="}, cmd: sh(`exec x ${A-a} ${A:-b}`), want: want{argv: "x|b", known: "yes"}},
		{name: "splitting", env: []string{"A=1  2"}, cmd: sh(`exec x a${A}b "$A"`), want: want{argv: "x|a1|2b|1  2", known: "yes"}},
		{name: "assigned in the script", cmd: sh(`B=7; export P=$B; exec x $P`), want: want{argv: "x|7", known: "yes"}},
		{name: "assignment before the command uses the old value", env: []string{"PORT=1"}, cmd: sh(`PORT=2 x $PORT`), want: want{argv: "x|1", known: "yes", shell: "sh"}},
		{name: "substitution is unknown", cmd: sh(`exec x --workers $(nproc) y`), want: want{argv: "x|--workers|<$(nproc)>|y", known: "yes"}},
		{name: "unknown program", cmd: sh(`exec $(which x) y`), want: want{argv: "<$(which x)>|y", why: "which program"}},
		{name: "and", cmd: sh("python3 manage.py migrate && exec gunicorn a"), want: want{argv: "gunicorn|a", known: "yes", before: "python3 manage.py migrate"}},
		{name: "or true", cmd: sh("gunicorn a || true"), want: want{argv: "gunicorn|a", known: "yes", shell: "sh"}},
		{name: "or another", cmd: sh("gunicorn a || uvicorn b"), want: want{argv: "gunicorn|a", why: "||", shell: "sh"}},
		{name: "pipe", cmd: sh("gunicorn a | tee log"), want: want{argv: "gunicorn|a", known: "yes", shell: "sh"}},
		{name: "pipe into a program", cmd: sh("gunicorn a | serve"), want: want{argv: "serve", known: "no", why: "pipe", shell: "sh"}},
		{name: "trailing ampersand", cmd: sh("gunicorn a &"), want: want{argv: "gunicorn|a", known: "yes", ends: "starts gunicorn with & and ends", back: "gunicorn a"}},
		{name: "ampersand and echo", cmd: sh("gunicorn a & echo started"), want: want{argv: "gunicorn|a", known: "yes", ends: "echo", back: "gunicorn a"}},
		{name: "ampersand and wait", cmd: sh("gunicorn a & wait"), want: want{argv: "gunicorn|a", known: "yes", shell: "sh"}},
		{name: "wait for the last", cmd: []string{"bash", "-c", "a & b & wait $!"}, want: want{argv: "b", known: "yes", shell: "bash", back: "a"}},
		{name: "ampersand and tail", cmd: sh("gunicorn a & tail -f /dev/null"), want: want{argv: "tail|-f|/dev/null", known: "yes", shell: "sh", back: "gunicorn a"}},
		{name: "service and tail", cmd: sh("service nginx start && tail -f /var/log/x"), want: want{argv: "tail|-f|/var/log/x", known: "yes", shell: "sh", before: "service nginx start"}},
		{name: "if decides last", cmd: sh(`if [ -n "$(x)" ]; then gunicorn a; else b; fi`), want: want{argv: `/bin/sh|-c|if [ -n "$(x)" ]; then gunicorn a; else b; fi`, why: "an if statement decides"}},
		{name: "if that is decided", env: []string{"MODE=web"}, cmd: sh(`if [ "$MODE" = web ]; then exec gunicorn a; fi; exec celery`), want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "case that is decided", env: []string{"MODE=web-1"}, cmd: sh(`case $MODE in w*) exec gunicorn a;; *) exec celery;; esac`), want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "if that may exec", cmd: sh(`if x; then exec y; fi; exec z`), want: want{argv: `/bin/sh|-c|if x; then exec y; fi; exec z`, why: "may end or replace"}},
		{name: "if that does not matter", cmd: sh(`if x; then y; fi; exec z`), want: want{argv: "z", known: "yes", before: "if x; then y; fi"}},
		{name: "if that sets what matters", env: []string{"PORT=1"}, cmd: sh(`if x; then PORT=2; fi; exec z $PORT`), want: want{argv: "z|<$PORT>", why: "a script sets PORT", before: "if x; then PORT=2; fi"}},
		{name: "a file is written first", cmd: sh("echo x > /etc/nginx.conf; echo y >/dev/null; exec nginx"), want: want{argv: "nginx", known: "yes", before: "echo x > /etc/nginx.conf;"}},
		{name: "function", cmd: sh(`run() { exec gunicorn "$@"; }; run a b`), want: want{argv: "gunicorn|a|b", known: "yes"}},
		{name: "cd", cmd: sh("cd /srv && exec a"), want: want{argv: "a", known: "yes", dir: "/srv"}},
		{name: "a script that only echoes", cmd: sh("echo hi"), want: want{argv: "/bin/sh|-c|echo hi", known: "yes", ends: "echo"}},
		{name: "a server and an echo", cmd: sh("migrate; gunicorn a; echo done"), want: want{argv: "gunicorn|a", known: "yes", shell: "sh", before: "migrate"}},
		{name: "a server and an exit", cmd: sh("gunicorn a; exit $?"), want: want{argv: "gunicorn|a", known: "yes", shell: "sh"}},
		{name: "syntax error", cmd: sh("if"), want: want{argv: "/bin/sh|-c|if", why: "cannot be parsed"}},
		{name: "interactive shell", cmd: []string{"bash"}, want: want{argv: "bash", known: "yes"}},

		{name: "tini", entrypoint: []string{"/tini", "--"}, cmd: []string{"gunicorn", "-b", "x"}, want: want{argv: "gunicorn|-b|x", known: "yes"}},
		{name: "tini without dashes", entrypoint: []string{"tini"}, cmd: []string{"python3", "-m", "http.server"}, want: want{argv: "python3|-m|http.server", why: "unless --"}},
		{name: "tini, no options", entrypoint: []string{"tini", "-g", "-e", "143"}, cmd: []string{"node", "a.js"}, want: want{argv: "node|a.js", known: "yes"}},
		{name: "the shell below tini is not first", entrypoint: []string{"tini", "--"}, cmd: sh("gunicorn a"), want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "dumb-init", entrypoint: []string{"dumb-init", "-v", "-r", "15:3", "--rewrite=1:2"}, cmd: []string{"a", "-b"}, want: want{argv: "a|-b", known: "yes"}},
		{name: "gosu", cmd: []string{"gosu", "web:web", "a", "-b"}, want: want{argv: "a|-b", known: "yes", user: "web:web"}},
		{name: "chpst joined", cmd: []string{"chpst", "-P", "-unobody", "-m100", "a"}, want: want{argv: "a", known: "yes", user: "nobody"}},
		{name: "env", cmd: []string{"env", "-u", "X", "PORT=9", "a"}, want: want{argv: "a", known: "yes"}},
		{name: "env split", cmd: []string{"env", "-S", "P=1 a b"}, want: want{argv: "a|b", known: "yes"}},
		{name: "nice", cmd: []string{"nice", "-5", "nohup", "stdbuf", "-oL", "a"}, want: want{argv: "a", known: "yes"}},
		{name: "timeout", cmd: []string{"timeout", "-k", "5", "--preserve-status", "60s", "a", "-x"}, want: want{argv: "a|-x", known: "yes"}},
		{name: "setsid first", cmd: []string{"setsid", "a"}, want: want{argv: "a", known: "yes", ends: "setsid sends a"}},
		{name: "setsid waits", cmd: []string{"setsid", "-w", "a"}, want: want{argv: "a", known: "yes"}},
		{name: "setsid below dash", cmd: sh("setsid a; true"), want: want{argv: "a", known: "yes", shell: "sh"}},
		{name: "sudo", env: []string{"PORT=1"}, cmd: []string{"sudo", "-u", "web", "sh", "-c", "exec a ${PORT:-2}"}, want: want{argv: "a|2", known: "yes", user: "web"}},
		{name: "sudo -E", env: []string{"PORT=1"}, cmd: []string{"sudo", "-E", "sh", "-c", "exec a ${PORT:-2}"}, want: want{argv: "a|1", known: "yes"}},
		{name: "su -c", env: []string{"PORT=1"}, cmd: []string{"su", "nobody", "-s", "/bin/sh", "-c", "exec a ${PORT:-2}"}, want: want{argv: "a|1", known: "yes", user: "nobody"}},
		{name: "su - drops", env: []string{"PORT=1"}, cmd: []string{"su", "-", "root", "-c", "exec a ${PORT:-2}"}, want: want{argv: "a|2", known: "yes", user: "root"}},
		{name: "su -w keeps", env: []string{"PORT=1"}, cmd: []string{"su", "-l", "-w", "PORT", "root", "-c", "exec a ${PORT:-2}"}, want: want{argv: "a|1", known: "yes", user: "root"}},
		{name: "runuser -u", cmd: []string{"runuser", "-u", "web", "--", "a", "-b"}, want: want{argv: "a|-b", known: "yes", user: "web"}},
		{name: "poetry run", cmd: []string{"poetry", "-n", "run", "gunicorn", "a"}, want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "uv run a file", cmd: []string{"uv", "run", "--no-sync", "app.py"}, want: want{argv: "python|app.py", known: "yes"}},
		{name: "bundle exec", cmd: []string{"bundle", "exec", "puma"}, want: want{argv: "puma", known: "yes"}},
		{name: "bundle itself", cmd: []string{"bundle", "install"}, want: want{argv: "bundle|install", known: "yes"}},
		{name: "newrelic", cmd: []string{"newrelic-admin", "run-program", "ddtrace-run", "gunicorn", "-b", "x"}, want: want{argv: "gunicorn|-b|x", known: "yes"}},
		{name: "python -m is kept", cmd: []string{"python3", "-m", "gunicorn", "a"}, want: want{argv: "python3|-m|gunicorn|a", known: "yes"}},
		{name: "wait-for-it", cmd: []string{"./wait-for-it.sh", "db:5432", "-t", "3", "--", "a", "-b"}, want: want{argv: "a|-b", known: "yes"}},
		{name: "wait-for-it without dashes", cmd: []string{"wait-for-it", "db:5432", "a"}, want: want{argv: "wait-for-it|db:5432|a", why: "needs --"}},
		{name: "doppler", cmd: []string{"doppler", "run", "--", "gunicorn", "a"}, want: want{argv: "gunicorn|a", why: "doppler adds"}},
		{name: "unknown option", cmd: []string{"tini", "-Q", "a"}, want: want{argv: "tini|-Q|a", why: "-Q"}},

		{name: "npm start", cmd: []string{"npm", "start"}, files: map[string]string{"app/package.json": `{"scripts":{"start":"NODE_ENV=production node server.js"}}`}, want: want{argv: "node|server.js", known: "yes", dir: "/app"}},
		{name: "npm run with arguments", cmd: []string{"npm", "run", "dev", "--host", "--", "--port", "3"}, files: map[string]string{"app/package.json": `{"scripts":{"dev":"vite"}}`}, want: want{argv: "vite|--port|3", known: "yes", dir: "/app"}},
		{name: "npm start without a script", cmd: []string{"npm", "start"}, files: map[string]string{"app/package.json": `{}`, "app/server.js": ""}, want: want{argv: "node|server.js", known: "yes", dir: "/app"}},
		{name: "npm background", cmd: []string{"npm", "run", "bg"}, files: map[string]string{"app/package.json": `{"scripts":{"bg":"node a.js &"}}`}, want: want{argv: "node|a.js", known: "yes", dir: "/app", ends: "node", back: "node a.js"}},
		{name: "npm, nothing there", cmd: []string{"npm", "start"}, want: want{argv: "npm|start", why: "no such file", dir: "/app"}},
		{name: "npm --prefix", cmd: []string{"npm", "--prefix", "/w", "start"}, files: map[string]string{"w/package.json": `{"scripts":{"start":"npm run x"}}`, "app/package.json": "{}"}, want: want{argv: "npm|run|x", why: `no script "x"`, dir: "/w"}},
		{name: "yarn direct", cmd: []string{"yarn", "serve", "--host"}, files: map[string]string{"app/package.json": `{"scripts":{"serve":"vite"}}`}, want: want{argv: "vite|--host", known: "yes", dir: "/app"}},

		{name: "entry script", entrypoint: []string{"/ep.sh"}, cmd: []string{"gunicorn", "a b"}, files: map[string]string{"ep.sh": "#!/bin/sh\nset -e\necho hi\npython3 manage.py migrate\nexec \"$@\"\n"}, want: want{argv: "gunicorn|a b", known: "yes", before: "python3 manage.py migrate"}},
		{name: "entry script without exec", entrypoint: []string{"/ep.sh"}, cmd: []string{"gunicorn", "a"}, files: map[string]string{"ep.sh": "#!/bin/bash\n\"$@\"\n"}, want: want{argv: "gunicorn|a", known: "yes", shell: "ep.sh"}},
		{name: "entry script with a branch", entrypoint: []string{"/ep.sh"}, cmd: []string{"gunicorn"}, files: map[string]string{"ep.sh": "#!/bin/sh\nif ask; then exec other; fi\nexec \"$@\"\n"}, want: want{argv: "/ep.sh|gunicorn", why: "an entrypoint script decides: /ep.sh"}},
		{name: "php entrypoint", entrypoint: []string{"docker-php-entrypoint"}, cmd: []string{"-a"}, files: map[string]string{"usr/local/bin/docker-php-entrypoint": "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"$1\" ]; then\n\tset -- php \"$@\"\nfi\nexec \"$@\"\n"}, want: want{argv: "php|-a", known: "yes"}},
		{name: "node entrypoint", entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"server.js"}, files: map[string]string{
			"usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"${1}\" ] || [ -z \"$(command -v \"${1}\")\" ] || { [ -f \"${1}\" ] && ! [ -x \"${1}\" ]; }; then\n  set -- node \"$@\"\nfi\nexec \"$@\"\n",
		}, want: want{argv: "node|server.js", known: "yes"}},
		{name: "redis entrypoint", entrypoint: []string{"docker-entrypoint.sh"}, cmd: []string{"redis-server"}, files: map[string]string{
			"usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"$1\" ] || [ \"${1%.conf}\" != \"$1\" ]; then\n\tset -- redis-server \"$@\"\nfi\nif [ \"$1\" = 'redis-server' -a \"$(id -u)\" = '0' ]; then\n\tfind . \\! -user redis -exec chown redis '{}' +\n\texec gosu redis \"$0\" \"$@\"\nfi\num=\"$(umask)\"\nif [ \"$um\" = '0022' ]; then umask 0077; fi\nexec \"$@\"\n",
		}, want: want{argv: "redis-server", known: "yes", user: "redis", before: "find . ! -user redis -exec chown redis {} +"}},
		{name: "sh with an absolute script", entrypoint: []string{"sh", "/srv/run.sh"}, files: map[string]string{"srv/run.sh": "exec gunicorn a\n"}, want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "sh with a relative script", entrypoint: []string{"bash", "run.sh"}, files: map[string]string{"app/run.sh": "exec gunicorn a\n"}, want: want{argv: "gunicorn|a", known: "yes"}},
		{name: "env -C with an absolute directory", cmd: []string{"env", "-C", "/srv", "gunicorn"}, want: want{argv: "gunicorn", known: "yes", dir: "/srv"}},
		{name: "not examined", entrypoint: []string{"/other/entrypoint.sh"}, cmd: []string{"a"}, want: want{argv: "/other/entrypoint.sh|a", known: "yes"}},
		{name: "sh FILE", cmd: []string{"sh", "run.sh", "x"}, files: map[string]string{"app/run.sh": "exec gunicorn $1"}, want: want{argv: "gunicorn|x", known: "yes"}},
		{name: "a script that is a program", cmd: []string{"apache2ctl", "-D", "FOREGROUND"}, files: map[string]string{"usr/sbin/apache2ctl": "#!/bin/sh\nexit 1\n"}, want: want{argv: "apache2ctl|-D|FOREGROUND", known: "yes"}},
		{name: "a launcher of pip", cmd: []string{"/v/bin/gunicorn", "a"}, files: map[string]string{"v/bin/gunicorn": "#!/bin/sh\n'''exec' \"/v/bin/python\" \"$0\" \"$@\"\n' '''\nimport re\n"}, want: want{argv: "/v/bin/gunicorn|a", known: "yes"}},
		{name: "a script that calls itself", cmd: []string{"/loop.sh"}, files: map[string]string{"loop.sh": "#!/bin/sh\nexec /loop.sh\n"}, want: want{argv: "/loop.sh", why: "call each other"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := Follow(facts.Config{Entrypoint: tt.entrypoint, Cmd: tt.cmd, WorkingDir: "/app"}, tt.env, image(tt.files))
			if !strings.Contains(l.Why, tt.want.why) || tt.want.why == "" && l.Why != "" {
				t.Errorf("Why = %q, want it to hold %q", l.Why, tt.want.why)
			}
			if !strings.Contains(l.Ends, tt.want.ends) || tt.want.ends == "" && l.Ends != "" {
				t.Errorf("Ends = %q, want it to hold %q", l.Ends, tt.want.ends)
			}
			tt.want.why, tt.want.ends = "", ""
			got := want{argv: spell(l.Command), known: l.Known, shell: l.Shell, user: l.Command.User, dir: tt.want.dir}
			if tt.want.dir != "" {
				got.dir = l.Command.Dir
			}
			for _, c := range l.Before {
				got.before += strings.Join(c.Words(), " ")
			}
			for _, c := range l.Background {
				got.back += strings.Join(c.Words(), " ")
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("Follow: -want +got\n%s", diff)
			}
		})
	}
}

func spell(c facts.Command) string {
	var words []string
	for _, w := range c.Argv {
		text := w.Text
		if !w.Known {
			text = "<" + text + ">"
		}
		words = append(words, text)
	}
	return strings.Join(words, "|")
}

func TestFollowWithoutFiles(t *testing.T) {
	t.Parallel()
	l := Follow(facts.Config{Entrypoint: []string{"/docker-entrypoint.sh"}, Cmd: []string{"nginx"}}, nil, nil)
	if l.Known != facts.Unknown || !strings.Contains(l.Why, "not examined") {
		t.Errorf("an unread script is taken as known: %q %q", l.Known, l.Why)
	}
	l = Follow(facts.Config{Cmd: []string{"gunicorn", "a"}}, nil, nil)
	if l.Program.Found != facts.Unknown || l.Known != facts.Yes {
		t.Errorf("Found %q, Known %q", l.Program.Found, l.Known)
	}
}

func TestLiteralVariables(t *testing.T) {
	t.Parallel()
	l := Follow(facts.Config{Cmd: []string{"tini", "--", "gunicorn", "-b", "0.0.0.0:${PORT:-80}", "$A$B"}}, []string{"PORT=1"}, image(nil))
	var got [][]string
	for _, w := range l.Command.Argv {
		got = append(got, w.Literal)
	}
	if diff := cmp.Diff([][]string{nil, nil, {"PORT"}, {"A", "B"}}, got); diff != "" {
		t.Errorf("Literal: -want +got\n%s", diff)
	}
	l = Follow(facts.Config{Cmd: sh("gunicorn -b 0.0.0.0:$PORT")}, []string{"PORT=1"}, image(nil))
	for _, w := range l.Command.Argv {
		if w.Literal != nil {
			t.Errorf("%q is called literal below a shell", w.Text)
		}
	}
}

func TestCommandIgnored(t *testing.T) {
	t.Parallel()
	files := image(map[string]string{"ep.sh": "#!/bin/sh\nexec gunicorn app\n", "pass.sh": "#!/bin/sh\nexec \"$@\"\n"})
	for _, tt := range []struct {
		entrypoint []string
		want       bool
	}{{[]string{"/ep.sh"}, true}, {[]string{"/pass.sh"}, false}, {sh("gunicorn app"), true}, {[]string{"tini", "--"}, false}, {[]string{"gunicorn"}, false}, {[]string{"sh"}, false}, {[]string{"sh", "-c"}, false}} {
		l := Follow(facts.Config{Entrypoint: tt.entrypoint, Cmd: []string{"/ep.sh"}}, nil, files)
		if (l.CommandIgnored != "") != tt.want {
			t.Errorf("%q: CommandIgnored = %q", tt.entrypoint, l.CommandIgnored)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	l := Follow(facts.Config{Env: []string{"A=1", "B=2"}, Cmd: []string{"env", "-u", "B", "C=3", "sh", "-c", "export D=4; E=5 exec x"}}, []string{"A=9"}, image(nil))
	want := []string{"A=9", "C=3", "D=4", "E=5", "PATH=" + defaultPath}
	if diff := cmp.Diff(want, l.Command.Env); diff != "" {
		t.Errorf("Env: -want +got\n%s", diff)
	}
}

// TestExpansionIsBounded: scripts that double a value must not take memory.
func TestExpansionIsBounded(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"A=$A$A", `set -- "$@" "$@"`, `set -- $* $*`, `f() { f "$@" "$@"; }`} {
		script := "A=xxxxxxxx\nset -- a b c\n" + strings.Repeat(line+"\n", 2000) + "f\nexec x $A \"$@\""
		l := Follow(facts.Config{Cmd: sh(script)}, nil, image(nil))
		if n := len(strings.Join(l.Command.Words(), " ")); n > maxExpansion+len(script) {
			t.Errorf("%s: %d bytes", line, n)
		}
	}
}
