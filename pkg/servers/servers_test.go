package servers_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

func image(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text), Mode: 0o755}
	}
	return m
}

func predict(cmd, env []string, files map[string]string) facts.Prediction {
	root := image(files)
	return servers.Predict(launch.Follow(facts.Config{Cmd: cmd, WorkingDir: "/app"}, env, root), root)
}

// spell writes a prediction the way the tables do: its listeners, then ? when
// there may be more.
func spell(p facts.Prediction) string {
	var parts []string
	for _, l := range p.Listens {
		text := fmt.Sprintf("%s:%d", l.Host, l.Port)
		if l.Network == "unix" {
			text = "unix:" + l.Path
		}
		if l.Network == "udp" {
			text += "/udp"
		}
		if l.Scope == facts.ScopeAny6 {
			text += "(6)"
		}
		parts = append(parts, text)
	}
	if !p.Complete {
		parts = append(parts, "?")
	}
	return strings.Join(parts, " ")
}

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func words(text string) []string { return strings.Fields(text) }

func TestPredict(t *testing.T) {
	t.Parallel()
	nginxConf := "events {}\nhttp {\n  include /etc/nginx/conf.d/*.conf;\n}\n"
	tests := []struct {
		name    string
		cmd     []string
		env     []string
		files   map[string]string
		listens string
		daemon  facts.Tri
		why     string // substring of Why, DaemonWhy, Ends or Interactive
	}{
		{name: "gunicorn, no application", cmd: words("gunicorn"), listens: "127.0.0.1:8000 ?", daemon: "no", why: "no application"},
		{name: "gunicorn, file in the working directory", cmd: words("gunicorn a"), files: map[string]string{"/app/gunicorn.conf.py": "import os\nbind = f\"0.0.0.0:{os.environ.get('PORT', 9000)}\"\n"}, listens: "0.0.0.0:9000", daemon: "no"},
		{name: "gunicorn, file and PORT", cmd: words("gunicorn a"), env: []string{"PORT=7"}, files: map[string]string{"/app/gunicorn.conf.py": "import os\nport = int(os.getenv('PORT', '80'))\nbind = ['127.0.0.1:%d' % port, '[::]:8']\n"}, listens: "127.0.0.1:7 :::8", daemon: "no"},
		{name: "gunicorn, -c and a daemon in it", cmd: words("gunicorn -c conf.py a"), files: map[string]string{"/app/conf.py": "daemon = True\n"}, listens: "127.0.0.1:8000", daemon: "yes", why: "conf.py:1"},
		{name: "gunicorn, a missing file", cmd: words("gunicorn -c conf.py a"), listens: "?", why: "conf.py"},
		{name: "gunicorn, a conditional bind", cmd: words("gunicorn a"), files: map[string]string{"/app/gunicorn.conf.py": "if x:\n    bind = ':1'\n"}, listens: "?", daemon: "no", why: "set conditionally"},
		{name: "gunicorn, a file is written first", cmd: sh("sed -i s/a/b/ gunicorn.conf.py && gunicorn a"), files: map[string]string{"/app/gunicorn.conf.py": "bind=':1'\n"}, listens: "?", why: "runs first"},
		{name: "gunicorn after a migration", cmd: sh("python manage.py migrate && gunicorn -b :80 a"), listens: "0.0.0.0:80", daemon: "no"},
		{name: "gunicorn with TLS", cmd: words("gunicorn --certfile x -b :80 a"), listens: "0.0.0.0:80", daemon: "no"},
		{name: "gunicorn, an unexpanded port", cmd: words("gunicorn -b 0.0.0.0:$PORT a"), listens: "?", daemon: "no", why: "as it is written"},
		{name: "gunicorn, an unknown option", cmd: words("gunicorn -b :80 -D a"), listens: "0.0.0.0:80", daemon: "yes", why: "-D"},

		{name: "nginx", cmd: words("nginx"), files: map[string]string{"/etc/nginx/nginx.conf": nginxConf, "/etc/nginx/conf.d/a.conf": "server {\n listen 80 default_server;\n listen [::]:80;\n}\nserver { listen 127.0.0.1:81; listen unix:/run/x.sock; listen 443 ssl; listen 443 quic; }"}, listens: "0.0.0.0:80 :::80(6) 127.0.0.1:81 unix:/run/x.sock 0.0.0.0:443 0.0.0.0:443/udp", daemon: "yes", why: "default"},
		{name: "nginx -g", cmd: []string{"nginx", "-g", "daemon off;"}, files: map[string]string{"/etc/nginx/nginx.conf": nginxConf, "/etc/nginx/conf.d/a.conf": "server { }"}, listens: "0.0.0.0:80", daemon: "no"},
		{name: "nginx, daemon off in the file", cmd: words("nginx"), files: map[string]string{"/etc/nginx/nginx.conf": "# daemon on;\ndaemon off;\n" + nginxConf}, listens: "", daemon: "no", why: "nginx.conf:2"},
		{name: "nginx, daemon twice", cmd: []string{"nginx", "-g", "daemon off;"}, files: map[string]string{"/etc/nginx/nginx.conf": "daemon off;\n" + nginxConf}, listens: "?", why: "refuses"},
		{name: "nginx, not read", cmd: []string{"nginx", "-g", "daemon off;"}, files: map[string]string{}, listens: "?", daemon: "no", why: "no nginx.conf"},
		{name: "nginx -t", cmd: words("nginx -t"), listens: "", why: "only tests"},
		{name: "nginx, the configuration is filled in first", cmd: sh("sed -i s/80/$PORT/ /etc/nginx/conf.d/a.conf && nginx -g 'daemon off;'"), env: []string{"PORT=9"}, files: map[string]string{"/etc/nginx/nginx.conf": nginxConf}, listens: "?", daemon: "no", why: "runs first"},
		{name: "nginx with -s", cmd: words("nginx -s reload"), listens: "", why: "signals"},

		{name: "apache", cmd: words("apache2ctl -D FOREGROUND"), files: map[string]string{"/etc/apache2/ports.conf": "Listen 80\n\n<IfModule ssl_module>\n\tListen 443\n</IfModule>\n"}, listens: "0.0.0.0:80 ?", daemon: "no", why: "module"},
		{name: "apache, plain", cmd: words("apache2-foreground"), env: []string{"PORT=8080"}, files: map[string]string{"/etc/apache2/ports.conf": "Listen ${PORT}\nListen 127.0.0.1:81\n"}, listens: "0.0.0.0:8080 127.0.0.1:81", daemon: "no"},
		{name: "apache in the background", cmd: words("apache2ctl start"), files: map[string]string{"/etc/apache2/ports.conf": "Listen 80\n"}, listens: "0.0.0.0:80", daemon: "yes"},
		{name: "apachectl alone", cmd: words("apachectl"), why: "usage"},

		{name: "php-fpm, official image", cmd: words("php-fpm"), files: map[string]string{"/usr/local/etc/php-fpm.conf": "[global]\n", "/usr/local/etc/php-fpm.d/www.conf": "[www]\nlisten = 127.0.0.1:9000\n", "/usr/local/etc/php-fpm.d/zz-docker.conf": "[global]\ndaemonize = no\n[www]\nlisten = 9000\n"}, listens: ":::9000", daemon: "no", why: "daemonize"},
		{name: "php-fpm, Debian", cmd: words("php-fpm8.2"), files: map[string]string{"/etc/php/8.2/fpm/php-fpm.conf": "[global]\n;daemonize = yes\n", "/etc/php/8.2/fpm/pool.d/www.conf": "[www]\nlisten = /run/php.sock\n"}, listens: "unix:/run/php.sock", daemon: "yes", why: "default"},
		{name: "php-fpm -F", cmd: words("php-fpm8.2 -F"), listens: "?", daemon: "no", why: "-F"},

		{name: "redis", cmd: words("redis-server"), listens: "0.0.0.0:6379", daemon: "no"},
		{name: "redis, two hosts", cmd: words("redis-server --port 7 --bind 127.0.0.1 10.0.0.1"), listens: "127.0.0.1:7 10.0.0.1:7", daemon: "no"},
		{name: "redis, Debian's file", cmd: words("redis-server /etc/redis/redis.conf"), files: map[string]string{"/etc/redis/redis.conf": "bind 127.0.0.1 -::1\nport 6379\ndaemonize yes\n"}, listens: "127.0.0.1:6379", daemon: "yes", why: "redis.conf:3"},
		{name: "redis, options beat the file", cmd: words("redis-server /etc/redis/redis.conf --daemonize no --port 1"), files: map[string]string{"/etc/redis/redis.conf": "daemonize yes\n"}, listens: "0.0.0.0:1", daemon: "no"},

		{name: "supervisord", cmd: words("supervisord -c /s.conf"), files: map[string]string{"/s.conf": "[supervisord]\nnodaemon=true ; stay\n[inet_http_server]\nport=9001\n[program:w]\ncommand=gunicorn -b 0.0.0.0:%(ENV_PORT)s a\n"}, env: []string{"PORT=5"}, listens: "0.0.0.0:9001 0.0.0.0:5", daemon: "no", why: "s.conf"},
		{name: "supervisord in the background", cmd: words("supervisord -c /s.conf"), files: map[string]string{"/s.conf": "[supervisord]\nlogfile=/x\n"}, listens: "", daemon: "yes"},
		{name: "supervisord, another program", cmd: words("supervisord -n -c /s.conf"), files: map[string]string{"/s.conf": "[program:w]\ncommand=/srv/app\n"}, listens: "?", daemon: "no", why: "program w"},

		{name: "puma.rb", cmd: words("bundle exec puma -C config/puma.rb"), env: []string{"PORT=4"}, files: map[string]string{"/app/config/puma.rb": "threads 5, 5\nport ENV.fetch(\"PORT\") { 3000 }\nplugin :tmp_restart\n"}, listens: "0.0.0.0:4", daemon: "no"},
		{name: "puma.rb, bind", cmd: words("puma"), files: map[string]string{"/app/config/puma.rb": "bind \"tcp://127.0.0.1:#{ENV.fetch('PORT', 3001)}\" # local\nbind 'unix:///tmp/p.sock'\n"}, listens: "127.0.0.1:3001 unix:/tmp/p.sock", daemon: "no"},
		{name: "puma.rb, conditional", cmd: words("puma"), files: map[string]string{"/app/config/puma.rb": "if x\n  port 1\nend\n"}, listens: "?", daemon: "no", why: "cannot tell"},

		{name: "rails in development", cmd: words("./bin/rails server"), listens: "localhost:3000", daemon: "no"},
		{name: "rails in production", cmd: words("bundle exec rails s -p 80"), env: []string{"RAILS_ENV=production"}, listens: "0.0.0.0:80", daemon: "no"},
		{name: "rackup reads RACK_ENV only", cmd: words("rackup"), env: []string{"RAILS_ENV=production"}, listens: "localhost:9292", daemon: "no"},
		{name: "thrust", cmd: words("./bin/thrust ./bin/rails server"), env: []string{"PORT=9"}, listens: ":::80 localhost:3000", daemon: "no"},
		{name: "django", cmd: words("python3 manage.py runserver 0:8002"), listens: "0.0.0.0:8002", daemon: "no"},
		{name: "django with a port alone", cmd: words("python3 manage.py runserver 8002"), listens: "127.0.0.1:8002", daemon: "no"},
		{name: "django without a host in front of the colon", cmd: words("python3 manage.py runserver :8002"), listens: "?", why: "it has no host", daemon: "no"},
		{name: "manage.py by itself", cmd: words("./manage.py runserver"), listens: "127.0.0.1:8000", daemon: "no"},
		{name: "flask in a module", cmd: words("python -m flask --app x run -p 80"), listens: "127.0.0.1:80", daemon: "no"},
		{name: "flask, .flaskenv", cmd: words("flask run"), files: map[string]string{"/app/.flaskenv": "FLASK_RUN_PORT=1"}, listens: "127.0.0.1:5000 ?", daemon: "no", why: ".flaskenv"},
		{name: "uvicorn on an IPv6 address", cmd: words("uvicorn --host :: a:app"), listens: ":::8000(6)", daemon: "no"},
		{name: "vite, a configuration", cmd: words("npx vite"), files: map[string]string{"/app/vite.config.ts": "export default { server: { host: true } }"}, listens: ":::5173", daemon: "no"},
		{name: "vite --host", cmd: words("vite --host --port 80"), files: map[string]string{"/app/vite.config.ts": "x"}, listens: ":::80", daemon: "no"},
		{name: "next from node_modules", cmd: words("node node_modules/next/dist/bin/next start"), listens: ":::3000", daemon: "no"},
		{name: "node", cmd: words("node server.js"), listens: "?", why: "code"},
		{name: "php -S", cmd: words("php -S localhost:8000 -t public"), listens: "localhost:8000", daemon: "no"},
		{name: "artisan", cmd: words("php artisan serve --host=0.0.0.0"), listens: "0.0.0.0:8000", daemon: "no"},
		{name: "memcached", cmd: words("memcached -d -l 127.0.0.1"), listens: "127.0.0.1:11211", daemon: "yes", why: "-d"},

		{name: "service", cmd: words("service nginx start"), files: map[string]string{"/etc/nginx/nginx.conf": "http { server { listen 80; } }"}, listens: "0.0.0.0:80", daemon: "yes", why: "init script"},
		{name: "init script", cmd: words("/etc/init.d/cron start"), listens: "", daemon: "yes", why: "init script"},
		{name: "service and tail", cmd: sh("service redis-server start && tail -f /dev/null"), files: map[string]string{"/etc/redis/redis.conf": "bind 0.0.0.0\n"}, listens: "0.0.0.0:6379", daemon: "no"},
		{name: "an unknown service and tail", cmd: sh("service thing start && tail -f /dev/null"), listens: "?", daemon: "no", why: "no service thing"},
		{name: "background and tail", cmd: sh("gunicorn -b :1 a & tail -f /dev/null"), listens: "0.0.0.0:1", daemon: "no"},
		{name: "background and wait", cmd: sh("redis-server & gunicorn -b :1 a & wait"), listens: "0.0.0.0:1 0.0.0.0:6379", daemon: "no"},
		{name: "the first one never ends", cmd: sh("gunicorn -b :1 a && nginx"), listens: "0.0.0.0:1", daemon: "no", why: "nginx never starts"},
		{name: "trailing ampersand", cmd: sh("gunicorn -b :1 a &"), listens: "0.0.0.0:1 ?", daemon: "no", why: "& and ends"},
		{name: "an unknown command first", cmd: sh("./prepare && gunicorn -b :1 a"), listens: "0.0.0.0:1 ?", why: "runs first"},
		{name: "catalina", cmd: words("catalina.sh start"), listens: "?", daemon: "yes", why: "start"},
		{name: "nc that waits for a port", cmd: sh("nc -z db 5432 && exec gunicorn -b :1 a"), listens: "0.0.0.0:1", daemon: "no"},
		{name: "nc that listens", cmd: words("nc -lk -p 8000"), listens: "?", why: "netcat"},
		{name: "git daemon", cmd: words("git daemon --export-all"), listens: "0.0.0.0:9418", daemon: "no"},
		{name: "sleep", cmd: words("sleep infinity"), listens: "", daemon: "no"},
		{name: "tail", cmd: words("tail -f /dev/null"), listens: "", daemon: "no"},
		{name: "cron", cmd: words("cron"), listens: "", daemon: "yes"},
		{name: "cron -f", cmd: words("cron -f"), listens: "", daemon: "no"},
		{name: "bash", cmd: words("/bin/bash"), listens: "", why: "a shell without a command"},
		{name: "python", cmd: words("python3"), listens: "", why: "python without a script"},
		{name: "python's version", cmd: words("python3 --version"), listens: "", why: "only prints"},
		{name: "unknown program", cmd: words("/srv/app --port 80"), listens: "?", why: "not in the catalogue"},
		{name: "unknown launch", cmd: sh("if [ -n \"$(x)\" ]; then nginx; else y; fi"), listens: "?", why: "an if statement"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := predict(tt.cmd, tt.env, tt.files)
			if tt.why != "" && tt.listens == "" && p.Ends+p.Interactive != "" {
				p.Complete, p.Daemonizes = true, ""
			}
			if got := spell(p); got != tt.listens {
				t.Errorf("listens on %q, want %q (%s)", got, tt.listens, p.Why)
			}
			if p.Daemonizes != tt.daemon {
				t.Errorf("Daemonizes = %q (%s), want %q", p.Daemonizes, p.DaemonWhy, tt.daemon)
			}
			if all := p.Why + "|" + p.DaemonWhy + "|" + p.Ends + "|" + p.Interactive; !strings.Contains(all, tt.why) {
				t.Errorf("says %q, want %q", all, tt.why)
			}
		})
	}
}

func TestNoCommand(t *testing.T) {
	t.Parallel()
	if p := servers.Predict(facts.Launch{}, nil); p.Complete || p.Why == "" {
		t.Errorf("Predict of no command: %+v", p)
	}
}

func TestGunicornWorkers(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"/usr/local/bin/gunicorn": "#!/usr/local/bin/python3.11\n", "/usr/local/bin/python3.11": "\x7fELF",
		"/usr/local/lib/python3.11/site-packages/gunicorn/__init__.py": "version_info = (21, 2, 0)\n__version__ = 'x'\n",
		"/app/c.py": "timeout = 5\nworker_class = 'uvicorn.workers.UvicornWorker'\npreload_app = True\n",
	}
	tests := []struct {
		cmd  string
		env  []string
		want facts.Gunicorn
	}{
		{"gunicorn a", nil, facts.Gunicorn{WorkerClass: "sync", Async: "no", Preload: "no", Timeout: 30, TimeoutFrom: "gunicorn's default", KillsBooting: "yes"}},
		{"gunicorn --threads 4 -t 90 a", nil, facts.Gunicorn{WorkerClass: "gthread", Async: "no", Preload: "no", Timeout: 90, TimeoutFrom: "-t", KillsBooting: "yes"}},
		{"gunicorn -kgevent --preload a", nil, facts.Gunicorn{WorkerClass: "gevent", Async: "yes", Preload: "yes", Timeout: 30, TimeoutFrom: "gunicorn's default", KillsBooting: "yes"}},
		{"gunicorn -c c.py a", nil, facts.Gunicorn{WorkerClass: "uvicorn.workers.UvicornWorker", Async: "yes", ASGI: true, Preload: "yes", Timeout: 5, TimeoutFrom: "/app/c.py:1", KillsBooting: "yes"}},
		{"gunicorn a", []string{"GUNICORN_CMD_ARGS=--timeout 7"}, facts.Gunicorn{WorkerClass: "sync", Async: "no", Preload: "no", Timeout: 7, TimeoutFrom: "env GUNICORN_CMD_ARGS", KillsBooting: "yes"}},
	}
	for _, tt := range tests {
		t.Run(tt.cmd, func(t *testing.T) {
			t.Parallel()
			p := predict(words(tt.cmd), tt.env, files)
			got := *p.Gunicorn
			got.FixPreload, got.FixTimeout = nil, nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if p.Version != "21.2.0" {
				t.Errorf("Version = %q", p.Version)
			}
		})
	}
}

// elfWithLoader is the head of a program whose PT_INTERP is /lib/ld.so.
var elfWithLoader = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 11) + "\x3e\x00" + strings.Repeat("\x00", 12) + "\x40" +
	strings.Repeat("\x00", 21) + "\x38\x00\x01\x00" + strings.Repeat("\x00", 6) + "\x03" + strings.Repeat("\x00", 7) + "\x78" +
	strings.Repeat("\x00", 23) + "\x0b" + strings.Repeat("\x00", 23) + "/lib/ld.so\x00"

func TestGunicornVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		cmd   string
		files map[string]string
		want  string
		kills facts.Tri
	}{
		{"python3 -m gunicorn a", map[string]string{"/usr/bin/python3": elfWithLoader, "/usr/lib/python3.11/x": "", "/usr/lib/python3/dist-packages/gunicorn/__init__.py": "version_info = (22, 0, 0)"}, "22.0.0", facts.No},
		{"/opt/venv/bin/gunicorn a", map[string]string{"/opt/venv/bin/gunicorn": "#!/opt/venv/bin/python\n", "/opt/venv/bin/python": "\x7fELF", "/opt/venv/lib/python3.12/site-packages/gunicorn/__init__.py": "version_info = (20, 1, 0)"}, "20.1.0", facts.Yes},
		{"gunicorn a", nil, "", facts.Unknown},
	} {
		p := predict(words(tt.cmd), nil, tt.files)
		if l := launch.Follow(facts.Config{Cmd: words(tt.cmd)}, nil, image(tt.files)); l.Final.Kind == "elf" && l.Final.Interpreter != "/lib/ld.so" {
			t.Errorf("%s: the loader is %q", tt.cmd, l.Final.Interpreter)
		}
		if p.Version != tt.want || p.Gunicorn.KillsBooting != tt.kills {
			t.Errorf("%s: version %q, kills %q", tt.cmd, p.Version, p.Gunicorn.KillsBooting)
		}
	}
}

// TestWritten: what an entrypoint script writes counts as the server's configuration.
func TestWritten(t *testing.T) {
	t.Parallel()
	files := image(map[string]string{"etc/nginx/nginx.conf": "http { include /etc/nginx/conf.d/*.conf; }\n"})
	l := facts.Launch{
		Argv: []string{"/ep.sh"}, Known: facts.Yes,
		Command: facts.Command{Argv: []facts.Word{{Text: "nginx", Known: true}, {Text: "-g", Known: true}, {Text: "daemon off;", Known: true}}},
		Written: map[string]string{"/etc/nginx/conf.d/app.conf": "server { listen 127.0.0.1:5000; }\n"},
	}
	p := servers.Predict(l, files)
	if len(p.Listens) != 1 || p.Listens[0].Port != 5000 || p.Listens[0].Scope != facts.ScopeLoopback || !p.Complete {
		t.Errorf("Predict = %+v, %v %s", p.Listens, p.Complete, p.Why)
	}
}
