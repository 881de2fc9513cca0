package launch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

const procfile = "# comment\nweb: gunicorn -b 0.0.0.0:$PORT app\nworker: celery worker\n"

// TestFollowLaunchers follows the programs that start what a file of the image
// names.
func TestFollowLaunchers(t *testing.T) {
	t.Parallel()
	type want struct{ argv, why, shell, ends, before, back, env, dir string }
	nginx := "#!/command/with-contenv bash\nexec nginx -g 'daemon off;'\n"
	tests := []struct {
		name  string
		cmd   []string
		env   []string
		files map[string]string
		want  want
	}{
		{name: "honcho", cmd: []string{"honcho", "start"}, files: map[string]string{"app/Procfile": procfile}, want: want{argv: "gunicorn|-b|0.0.0.0:5000|app", shell: "honcho", back: "celery worker", env: "PORT=5000"}},
		{name: "honcho, one process", cmd: []string{"honcho", "-f", "P", "start", "worker"}, env: []string{"PORT=9"}, files: map[string]string{"app/P": procfile}, want: want{argv: "celery|worker", shell: "honcho", env: "PORT=9"}},
		{name: "honcho and .env", cmd: []string{"honcho", "start", "web"}, files: map[string]string{"app/Procfile": procfile, "app/.env": "PORT=7000\n"}, want: want{argv: "gunicorn|-b|0.0.0.0:7000|app", shell: "honcho", env: "PORT=7000"}},
		{name: "honcho run", cmd: []string{"honcho", "run", "--", "a", "b"}, want: want{argv: "a|b"}},
		{name: "foreman counts all processes", cmd: []string{"foreman", "start", "worker"}, files: map[string]string{"app/Procfile": procfile}, want: want{argv: "celery|worker", shell: "foreman", env: "PORT=5100"}},
		{name: "foreman -p and -d", cmd: []string{"foreman", "start", "-p", "80", "-d", "sub"}, files: map[string]string{"app/sub/Procfile": "web: x $PORT\n"}, want: want{argv: "x|80", shell: "foreman", dir: "/app/sub"}},
		{name: "foreman without a Procfile", cmd: []string{"foreman", "start"}, want: want{argv: "foreman|start", why: "Procfile cannot be read"}},
		{name: "overmind -N", cmd: []string{"overmind", "s", "-N", "-l", "web"}, env: []string{"PORT=4"}, files: map[string]string{"app/Procfile": procfile}, want: want{argv: "gunicorn|-b|0.0.0.0:4|app", shell: "overmind"}},
		{name: "overmind -D", cmd: []string{"overmind", "start", "-D"}, files: map[string]string{"app/Procfile": "web: x\n"}, want: want{argv: "x", shell: "overmind", ends: "overmind goes to the background"}},
		{name: "goreman", cmd: []string{"goreman", "-b", "6000", "-f", "P", "start"}, files: map[string]string{"app/P": "web: x $PORT\n"}, want: want{argv: "x|6000", shell: "goreman"}},
		{name: "hivemind with a file", cmd: []string{"hivemind", "P"}, files: map[string]string{"app/P": "web: x $PORT\n"}, want: want{argv: "x|5000", shell: "hivemind"}},
		{name: "forego", cmd: []string{"forego", "start", "-p", "81"}, files: map[string]string{"app/Procfile": "web: x $PORT\n"}, want: want{argv: "x|81", shell: "forego"}},

		{name: "pipenv script", cmd: []string{"pipenv", "run", "web", "--reload"}, files: map[string]string{"app/Pipfile": "[scripts]\nweb = \"gunicorn 'a b' app\"\n"}, want: want{argv: "gunicorn|a b|app|--reload"}},
		{name: "pipenv command", cmd: []string{"pipenv", "run", "gunicorn", "app"}, files: map[string]string{"app/Pipfile": "[packages]\ngunicorn = \"*\"\n"}, want: want{argv: "gunicorn|app"}},
		{name: "pipenv script with a variable", cmd: []string{"pipenv", "run", "web"}, files: map[string]string{"app/Pipfile": "[scripts]\nweb = \"gunicorn $X\"\n"}, want: want{argv: "pipenv|run|web", why: "was not read"}},
		{name: "pdm script", cmd: []string{"pdm", "run", "start"}, files: map[string]string{"app/pyproject.toml": "[tool.pdm.scripts]\nstart = {cmd = \"uvicorn main:app\", help = \"x\"}\n"}, want: want{argv: "uvicorn|main:app"}},
		{name: "hatch script", cmd: []string{"hatch", "run", "serve", "-p", "1"}, files: map[string]string{"app/pyproject.toml": "[tool.hatch.envs.default.scripts]\nserve = 'x && exec y'\n"}, want: want{argv: "y|-p|1", before: "x"}},

		{name: "npm workspace", cmd: []string{"npm", "run", "start", "--workspace=web", "--", "-p", "1"}, files: map[string]string{"app/package.json": `{"workspaces":["apps/*"]}`, "app/apps/web/package.json": `{"name":"web","scripts":{"start":"next start"}}`}, want: want{argv: "next|start|-p|1", dir: "/app/apps/web"}},
		{name: "npm workspace that is missing", cmd: []string{"npm", "start", "-w", "x"}, files: map[string]string{"app/package.json": `{"workspaces":["apps/*"]}`}, want: want{argv: "npm|start|-w|x", why: `no workspace "x"`}},
		{name: "npm in all workspaces", cmd: []string{"npm", "start", "--workspaces"}, files: map[string]string{"app/package.json": `{}`}, want: want{argv: "npm|start|--workspaces", why: "several"}},
		{name: "yarn workspace", cmd: []string{"yarn", "workspace", "@a/web", "run", "start"}, files: map[string]string{"app/package.json": `{"workspaces":{"packages":["p/*"]}}`, "app/p/web/package.json": `{"name":"@a/web","scripts":{"start":"x"}}`}, want: want{argv: "x", dir: "/app/p/web"}},
		{name: "pnpm filter without the scope", cmd: []string{"pnpm", "--filter", "web", "start"}, files: map[string]string{"app/pnpm-workspace.yaml": "packages: ['p/*']\n", "app/p/web/package.json": `{"name":"@a/web","scripts":{"start":"x"}}`}, want: want{argv: "x", dir: "/app/p/web"}},
		{name: "pnpm filter of several", cmd: []string{"pnpm", "-F", "./p/*", "start"}, files: map[string]string{"app/package.json": `{}`}, want: want{argv: "pnpm|-F|./p/*|start", why: "several"}},
		{name: "bun run", cmd: []string{"bun", "--bun", "run", "start"}, files: map[string]string{"app/package.json": `{"scripts":{"start":"x"}}`}, want: want{argv: "x", dir: "/app"}},
		{name: "bun file", cmd: []string{"bun", "run", "index.ts"}, files: map[string]string{"app/package.json": `{}`, "app/index.ts": ""}, want: want{argv: "bun|run|index.ts"}},
		{name: "bunx", cmd: []string{"bunx", "serve", "-l", "1"}, want: want{argv: "serve|-l|1"}},
		{name: "deno task", cmd: []string{"deno", "task", "--cwd", "/s", "go", "a b"}, files: map[string]string{"s/deno.json": `{"tasks":{"go":{"command":"x"}}}`}, want: want{argv: "x|a b", dir: "/s"}},
		{name: "deno task that is missing", cmd: []string{"deno", "task", "go"}, want: want{argv: "deno|task|go", why: `no task "go"`}},

		{name: "runsvdir", cmd: []string{"runsvdir", "-P", "/svc"}, files: map[string]string{"svc/cron/run": "#!/bin/sh\nexec cron -f\n", "svc/web/run": "#!/bin/sh\nexec 2>&1\nexec chpst -u web:web nginx -g x\n"}, want: want{argv: "nginx|-g|x", shell: "runsvdir", back: "cron -f"}},
		{name: "a service that is down", cmd: []string{"s6-svscan", "/svc"}, files: map[string]string{"svc/a/run": "#!/bin/sh\nexec a\n", "svc/a/down": "", "svc/b/run": "#!/bin/sh\nexec b\n"}, want: want{argv: "b", shell: "s6-svscan"}},
		{name: "no service", cmd: []string{"runsvdir", "/svc"}, want: want{argv: "runsvdir|/svc", why: "finds no service"}},
		{name: "my_init", cmd: []string{"/sbin/my_init"}, files: map[string]string{"etc/service/web/run": "#!/bin/sh\nexec nginx\n"}, want: want{argv: "nginx", shell: "my_init"}},
		{name: "my_init with a command", cmd: []string{"/sbin/my_init", "--", "gunicorn", "a"}, files: map[string]string{"etc/service/web/run": "#!/bin/sh\nexec nginx\n"}, want: want{argv: "gunicorn|a", shell: "my_init", back: "nginx"}},
		{name: "s6-overlay 2", cmd: []string{"/init"}, env: []string{"X=1"}, files: map[string]string{"init": "#!/bin/sh\n", "etc/services.d/web/run": "#!/usr/bin/with-contenv bash\nexec x $X\n"}, want: want{argv: "x|1", shell: "init"}},
		{name: "s6-overlay without the environment", cmd: []string{"/init"}, env: []string{"X=1"}, files: map[string]string{"init": "#!/bin/sh\n", "etc/services.d/web/run": "#!/bin/bash\nexec x $X\n"}, want: want{argv: "x", shell: "init"}},
		{name: "s6-overlay 3", cmd: []string{"/init"}, files: map[string]string{
			"init": "#!/bin/sh\n", "etc/s6-overlay/s6-rc.d/user/contents.d/web": "", "etc/s6-overlay/s6-rc.d/web/type": "longrun\n", "etc/s6-overlay/s6-rc.d/web/run": nginx,
		}, want: want{argv: "nginx|-g|daemon off;", shell: "init"}},
		{name: "s6-overlay with a command", cmd: []string{"/init", "gunicorn"}, files: map[string]string{"init": "#!/bin/sh\n", "etc/services.d/cron/run": "#!/bin/sh\nexec crond -f\n"}, want: want{argv: "gunicorn", shell: "init", back: "crond -f"}},
		{name: "start-stop-daemon", cmd: []string{"start-stop-daemon", "--start", "--chuid", "web", "--exec", "/bin/x", "--", "-p", "1"}, want: want{argv: "/bin/x|-p|1"}},
		{name: "start-stop-daemon -b", cmd: []string{"start-stop-daemon", "-S", "-b", "-x", "/bin/x"}, want: want{argv: "/bin/x", ends: "to the background"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"usr/bin/with-contenv": "#!/bin/sh\n", "command/with-contenv": "#!/bin/sh\n"}
			for name, text := range tt.files {
				files[name] = text
			}
			l := Follow(facts.Config{Cmd: tt.cmd, WorkingDir: "/app"}, tt.env, image(files))
			if (l.Known == facts.Yes) != (tt.want.why == "") || !strings.Contains(l.Why, tt.want.why) || !strings.Contains(l.Ends, tt.want.ends) || tt.want.ends == "" && l.Ends != "" {
				t.Errorf("Known %q, Why %q, Ends %q", l.Known, l.Why, l.Ends)
			}
			tt.want.why, tt.want.ends = "", ""
			got := want{argv: spell(l.Command), shell: l.Shell}
			for _, c := range l.Before {
				got.before += strings.Join(c.Words(), " ")
			}
			for _, c := range l.Background {
				got.back += strings.Join(c.Words(), " ")
			}
			if tt.want.dir != "" {
				got.dir = l.Command.Dir
			}
			if strings.Contains(strings.Join(l.Command.Env, "\n")+"\n", tt.want.env+"\n") {
				got.env = tt.want.env
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("Follow: -want +got\n%s", diff)
			}
		})
	}
}

// TestRuns: what runs first is seen into, through scripts and wrappers.
func TestRuns(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"app/prepare.sh":   "#!/bin/sh\nset -e\nmkdir -p /d\n./nested.sh x\nexit 0\n",
		"app/nested.sh":    "#!/bin/sh\nchown \"$1\" /d\n",
		"app/package.json": `{"scripts":{"build":"next build"}}`,
	}
	for _, tt := range []struct{ script, want string }{
		{"while ! nc -z db 1; do sleep 1; done; exec a", "nc|-z|db|1; sleep|1"},
		{"if [ -n \"$(x)\" ]; then umask 7; fi; exec a", "x"},
		{"if x y; then umask 7; cd /; fi; cd /app; exec a", "x|y"},
		{"for f in /d/*; do cp $f /e; done; exec a", "cp|<$f>|/e"},
		{"f() { migrate; }; if x; then f; fi; exec a", "x; migrate"},
		{"envsubst < /t > /etc/n.conf; exec a", "envsubst; tee|/etc/n.conf"},
		{"if x; then . /y; fi; exec a", ""},
		{"./prepare.sh; exec a", "mkdir|-p|/d; chown|x|/d"},
		{"timeout 60 su app -c 'x y'; exec a", "x|y"},
		{"npm run build; exec a", "next|build"},
		{"plain z; exec a", "none"},
	} {
		l := Follow(facts.Config{Cmd: sh(tt.script), WorkingDir: "/app"}, nil, image(files))
		if len(l.Before) != 1 {
			if tt.want != "" || l.Known == facts.Yes {
				t.Errorf("%s: %d commands run first (%s)", tt.script, len(l.Before), l.Why)
			}
			continue
		}
		var got []string
		for _, c := range l.Before[0].Runs {
			if c.Runs != nil {
				for _, inner := range c.Runs {
					got = append(got, spell(inner))
				}
				continue
			}
			got = append(got, spell(c))
		}
		text := strings.Join(got, "; ")
		if l.Before[0].Runs == nil && tt.want == "none" {
			text = "none"
		}
		if text != tt.want {
			t.Errorf("%s: runs %q, want %q", tt.script, text, tt.want)
		}
	}
}

// TestWindowsLineEnds: the words of such a script are not what they look like.
func TestWindowsLineEnds(t *testing.T) {
	t.Parallel()
	l := Follow(facts.Config{Cmd: []string{"sh", "/s.sh"}}, nil, image(map[string]string{"s.sh": "set -e\r\nexec gunicorn app:app\r\n"}))
	if l.Known != facts.Unknown || !strings.Contains(l.Why, "Windows line ends") {
		t.Errorf("Known %q: %s", l.Known, l.Why)
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	for duration, want := range map[string]string{"30": "timeout ends a after 30", "1h": "timeout ends a after 1h", "0": "", "0s": ""} {
		if l := Follow(facts.Config{Cmd: []string{"timeout", duration, "a"}}, nil, image(nil)); l.Limit != want {
			t.Errorf("timeout %s: %q, want %q", duration, l.Limit, want)
		}
	}
	if l := Follow(facts.Config{Cmd: sh("timeout 5 a; exec b")}, nil, image(nil)); l.Limit != "" || fmt.Sprint(l.Command.Words()) != "[b]" {
		t.Errorf("the limit of what runs first is taken for the command's: %q %q", l.Limit, l.Command.Words())
	}
}

// TestCommandUsed: CMD has an effect when a wrapper or a manager takes it.
func TestCommandUsed(t *testing.T) {
	t.Parallel()
	files := map[string]string{"app/package.json": `{"scripts":{"start":"next start"}}`, "ep.sh": "#!/bin/sh\nexec nginx\n", "all.sh": "#!/bin/sh\nexec \"$@\"\n"}
	for _, tt := range []struct {
		entrypoint, cmd []string
		ignored         bool
	}{
		{[]string{"npm"}, []string{"start"}, false},
		{[]string{"./wait-for.sh", "db:1", "--"}, []string{"npm", "start"}, false},
		{[]string{"tini", "--"}, []string{"sh", "-c", "exec a"}, false},
		{[]string{"/all.sh"}, []string{"npm", "start"}, false},
		{[]string{"/ep.sh"}, []string{"npm", "start"}, true},
		{sh("exec nginx"), []string{"x"}, true},
	} {
		l := Follow(facts.Config{Entrypoint: tt.entrypoint, Cmd: tt.cmd, WorkingDir: "/app"}, nil, image(files))
		if (l.CommandIgnored != "") != tt.ignored {
			t.Errorf("%q %q: ignored %q, want %v", tt.entrypoint, tt.cmd, l.CommandIgnored, tt.ignored)
		}
	}
}
