package servers_test

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

// nginxRoot is an nginx as Debian ships it.
func nginxRoot(main string) map[string]string {
	return map[string]string{
		"/etc/nginx/nginx.conf":          main + "\nevents {}\nhttp {\n include /etc/nginx/conf.d/*.conf;\n}\n",
		"/etc/nginx/conf.d/default.conf": "server { listen 80; }\n",
	}
}

type trap struct {
	name    string
	cmd     []string
	env     []string
	files   map[string]string
	listens string // see spell; "-": not judged
	daemon  facts.Tri
	ends    bool   // the command, or its shell, ends by itself
	why     string // in Why, DaemonWhy, Ends, Interactive of the prediction, or Why, Ends of the launch
}

// appServerTraps are the measured traps of application servers. Those that
// only a run can tell are listed below, in dynamicTraps.
var appServerTraps = []trap{
	{name: "01 gunicorn appends -b", cmd: words("gunicorn -b :1 -b 127.0.0.1:2 a"), listens: "0.0.0.0:1 127.0.0.1:2", daemon: "no"},
	{name: "01 hypercorn appends -b", cmd: words("hypercorn -b 0.0.0.0:1 -b 0.0.0.0:2 a:app"), listens: "0.0.0.0:1 0.0.0.0:2", daemon: "no"},
	{name: "01 uvicorn takes the last", cmd: words("uvicorn --host 127.0.0.1 --host 0.0.0.0 a:app"), listens: "0.0.0.0:8000", daemon: "no"},
	{name: "02 gunicorn's options replace the file", cmd: words("gunicorn -b :1 a"), files: map[string]string{"/app/gunicorn.conf.py": "bind = ':2'\n"}, listens: "0.0.0.0:1", daemon: "no"},
	{name: "02 puma's options replace the file", cmd: words("puma -p 1"), files: map[string]string{"/app/config/puma.rb": "port 2\n"}, listens: "0.0.0.0:1", daemon: "no"},
	{name: "02 unicorn's options add to the file", cmd: words("unicorn -c u.rb -l 1"), files: map[string]string{"/app/u.rb": "listen 2\n"}, listens: "-", daemon: "no"},
	{name: "03 PORT is gunicorn's default", cmd: words("gunicorn a"), env: []string{"PORT=5"}, listens: "0.0.0.0:5", daemon: "no"},
	{name: "03 bind beats PORT", cmd: words("gunicorn a"), env: []string{"PORT=5"}, files: map[string]string{"/app/gunicorn.conf.py": "bind = ':2'\n"}, listens: "0.0.0.0:2", daemon: "no"},
	{name: "03 an empty PORT", cmd: words("gunicorn a"), env: []string{"PORT="}, listens: "?", daemon: "no", why: "PORT"},
	{name: "04 the file without -c", cmd: words("gunicorn a"), files: map[string]string{"/app/gunicorn.conf.py": "bind = '0.0.0.0:9'\n"}, listens: "0.0.0.0:9", daemon: "no"},
	{name: "04 GUNICORN_CMD_ARGS", cmd: words("gunicorn a"), env: []string{"GUNICORN_CMD_ARGS=-D -b :4"}, listens: "0.0.0.0:4", daemon: "yes"},
	{name: "05 gunicorn -p is a file", cmd: words("gunicorn -p 9000 a"), listens: "127.0.0.1:8000", daemon: "no"},
	{name: "05 gunicorn -D in a cluster", cmd: words("gunicorn -Db :4 a"), listens: "0.0.0.0:4", daemon: "yes"},
	{name: "06 a host without a port", cmd: words("gunicorn -b 0.0.0.0 a"), listens: "0.0.0.0:8000", daemon: "no"},
	{name: "06 a port without a host", cmd: words("gunicorn -b :80 a"), listens: "0.0.0.0:80", daemon: "no"},
	{name: "06 IPv6 without a port", cmd: words("gunicorn -b [::] a"), listens: ":::8000", daemon: "no"},
	{name: "06 a bare number", cmd: words("gunicorn -b 8000 a"), listens: "?", daemon: "no"},
	{name: "07 gunicorn on a unix socket", cmd: words("gunicorn -b unix:/tmp/a.sock a"), listens: "unix:/tmp/a.sock", daemon: "no"},
	{name: "07 uvicorn --uds", cmd: words("uvicorn --uds /tmp/a.sock a:app"), listens: "unix:/tmp/a.sock", daemon: "no"},
	{name: "08 uwsgi --http with a number", cmd: words("uwsgi --http 8090 --wsgi-file a.py"), listens: "-", daemon: "no"},
	{name: "08 uwsgi --socket is not HTTP", cmd: words("uwsgi --socket 0.0.0.0:3031 --wsgi-file a.py"), listens: "-", daemon: "no"},
	{name: "09 a random port", cmd: words("puma -b tcp://0.0.0.0:0"), listens: "-", daemon: "no"},
	{name: "10 uvicorn ignores PORT", cmd: words("uvicorn a:app"), env: []string{"PORT=5"}, listens: "127.0.0.1:8000", daemon: "no"},
	{name: "10 uvicorn reads its own", cmd: words("uvicorn a:app"), env: []string{"UVICORN_PORT=5", "UVICORN_HOST=0.0.0.0"}, listens: "0.0.0.0:5", daemon: "no"},
	{name: "10 flask ignores PORT", cmd: words("flask --app a run"), env: []string{"PORT=5"}, listens: "127.0.0.1:5000", daemon: "no"},
	{name: "11 rails in production", cmd: words("rails server"), env: []string{"RAILS_ENV=production"}, listens: "0.0.0.0:3000", daemon: "no"},
	{name: "11 rackup does not read RAILS_ENV", cmd: words("rackup"), env: []string{"RAILS_ENV=production"}, listens: "localhost:9292", daemon: "no"},
	{name: "12 puma -C -", cmd: words("puma -C -"), files: map[string]string{"/app/config/puma.rb": "port 2\n"}, listens: "0.0.0.0:9292", daemon: "no"},
	{name: "12 puma of the environment", cmd: words("puma"), env: []string{"RACK_ENV=production"}, files: map[string]string{"/app/config/puma/production.rb": "port 3\n", "/app/config/puma.rb": "port 2\n"}, listens: "0.0.0.0:3", daemon: "no"},
	{name: "13 thruster", cmd: words("./bin/thrust ./bin/rails server"), env: []string{"PORT=9", "RAILS_ENV=production"}, listens: ":::80 0.0.0.0:3000", daemon: "no"},
	{name: "15 serve with host and port", cmd: words("serve -l 0.0.0.0:80"), listens: "?", daemon: "no"},
	{name: "16 npm loses an option", cmd: words("npm run dev --host"), files: map[string]string{"/app/package.json": `{"scripts":{"dev":"vite"}}`}, listens: "localhost:5173", daemon: "no"},
	{name: "16 yarn passes it", cmd: words("yarn dev --host"), files: map[string]string{"/app/package.json": `{"scripts":{"dev":"vite"}}`}, listens: ":::5173", daemon: "no"},
	{name: "16 npm start without a script", cmd: words("npm start"), files: map[string]string{"/app/package.json": `{}`, "/app/server.js": ""}, listens: "?", why: "code"},
	{name: "16 & in a script", cmd: words("npm run bg"), files: map[string]string{"/app/package.json": `{"scripts":{"bg":"vite &"}}`}, listens: "-", daemon: "no", ends: true},
	{name: "17 gunicorn -D", cmd: words("gunicorn -D a"), listens: "127.0.0.1:8000", daemon: "yes"},
	{name: "17 unicorn -D", cmd: words("unicorn -D"), listens: "-", daemon: "yes"},
	{name: "17 thin -d", cmd: words("thin start -d"), listens: "-", daemon: "yes"},
	{name: "17 thin --servers", cmd: words("thin start --servers 2"), listens: "-", daemon: "yes"},
	{name: "17 rackup -D", cmd: words("rackup -D"), listens: "-", daemon: "yes"},
	{name: "17 rails -d", cmd: words("rails server -d"), listens: "-", daemon: "yes"},
	{name: "17 jekyll --detach", cmd: words("jekyll serve --detach"), listens: "-", daemon: "yes"},
	{name: "17 php-fpm", cmd: words("php-fpm8.2"), files: map[string]string{"/etc/php/8.2/fpm/php-fpm.conf": "[global]\n"}, listens: "-", daemon: "yes"},
	{name: "17 uwsgi --daemonize", cmd: words("uwsgi --http :80 --daemonize /l"), listens: "-", daemon: "yes"},
	{name: "17 pm2 start", cmd: words("pm2 start a.js"), listens: "-", daemon: "yes"},
	{name: "17 forever start", cmd: words("forever start a.js"), listens: "-", daemon: "yes"},
	{name: "17 celery --detach", cmd: words("celery -A a worker --detach"), listens: "-", daemon: "yes"},
	{name: "17 celery multi", cmd: words("celery multi start w1"), listens: "-", daemon: "yes"},
	{name: "17 supervisord", cmd: words("supervisord -c /s.conf"), files: map[string]string{"/s.conf": "[supervisord]\n"}, listens: "-", daemon: "yes"},
	{name: "17 busybox httpd", cmd: words("busybox httpd"), listens: "-", daemon: "yes"},
	{name: "17 setsid as the first process", cmd: words("setsid gunicorn a"), listens: "-", daemon: "no", ends: true},
	{name: "18 hypercorn -D", cmd: words("hypercorn -D a:app"), listens: "-", daemon: "no"},
	{name: "18 nohup", cmd: words("nohup gunicorn a"), listens: "127.0.0.1:8000", daemon: "no"},
	{name: "18 pm2-runtime", cmd: words("pm2-runtime a.js"), listens: "?", daemon: "no"},
	{name: "19 tini without --", cmd: words("tini python3 -m http.server"), listens: "?", why: "--"},
	{name: "19 dumb-init needs none", cmd: words("dumb-init python3 -m http.server"), listens: "0.0.0.0:8000", daemon: "no"},
	{name: "21 wait-for-it without --", cmd: words("wait-for-it.sh db:5 gunicorn a"), listens: "?", why: "--"},
	{name: "22 exec form expands nothing", cmd: words("gunicorn -b 0.0.0.0:${PORT:-8000} a"), env: []string{"PORT=1"}, listens: "?", daemon: "no", why: "as it is written"},
	{name: "23 sh -c takes one word", cmd: []string{"sh", "-c", "python3", "-m", "http.server"}, listens: "-", ends: true, why: "without a script"},
	{name: "24 sudo drops PORT", cmd: words("sudo -u web gunicorn a"), env: []string{"PORT=5"}, listens: "127.0.0.1:8000", daemon: "no"},
	{name: "24 gosu keeps PORT", cmd: words("gosu web gunicorn a"), env: []string{"PORT=5"}, listens: "0.0.0.0:5", daemon: "no"},
	{name: "24 env -i drops PORT", cmd: words("env -i gunicorn a"), env: []string{"PORT=5"}, listens: "127.0.0.1:8000", daemon: "no"},
	{name: "26 supervisord is no shell", cmd: words("supervisord -n -c /s.conf"), env: []string{"PORT=5"}, files: map[string]string{"/s.conf": "[program:w]\ncommand=gunicorn -b 0.0.0.0:$PORT a\n"}, listens: "?", daemon: "no"},
	{name: "27 uvicorn has no abbreviations", cmd: words("uvicorn --por 80 a:app"), listens: "-", daemon: "no", why: "--por"},
	{name: "27 gunicorn has", cmd: words("gunicorn --bin :80 a"), listens: "0.0.0.0:80", daemon: "no"},
	{name: "28 supervisord's own port", cmd: words("supervisord -n -c /s.conf"), files: map[string]string{"/s.conf": "[inet_http_server]\nport=9001\n"}, listens: "0.0.0.0:9001", daemon: "no"},
	{name: "33 PORT is an address", cmd: words("gunicorn a"), env: []string{"PORT=tcp://10.0.0.1:80"}, listens: "?", daemon: "no", why: "PORT"},
	{name: "34 php-fpm speaks FastCGI", cmd: words("php-fpm8.2 -F"), files: map[string]string{"/etc/php/8.2/fpm/php-fpm.conf": "[global]\n[www]\nlisten = 9000\n"}, listens: ":::9000", daemon: "no"},
}

// daemonTraps are the measured traps of programs that put themselves in the
// background.
var daemonTraps = []trap{
	{name: "nginx -g as one word", cmd: []string{"nginx", "-g", "daemon off;"}, files: nginxRoot(""), listens: "0.0.0.0:80", daemon: "no"},
	{name: "nginx -g as two words", cmd: []string{"nginx", "-g", "daemon", "off;"}, files: nginxRoot(""), listens: "?", why: "off;"},
	{name: "nginx -g unquoted in a shell", cmd: sh("nginx -g daemon off;"), files: nginxRoot(""), listens: "?", why: "off"},
	{name: "nginx -g quoted in exec form", cmd: []string{"nginx", "-g", "'daemon off;'"}, files: nginxRoot(""), listens: "?", why: "'daemon"},
	{name: "nginx -g without its semicolon", cmd: []string{"nginx", "-g", "daemon off"}, files: nginxRoot(""), listens: "?", why: ";"},
	{name: "nginx, daemon twice", cmd: []string{"nginx", "-g", "daemon off;"}, files: nginxRoot("daemon off;"), listens: "0.0.0.0:80 ?", why: "refuses"},
	{name: "nginx, a comment", cmd: words("nginx"), files: nginxRoot("# daemon off;"), listens: "0.0.0.0:80", daemon: "yes"},
	{name: "nginx, master_process alone", cmd: []string{"nginx", "-g", "master_process off;"}, files: nginxRoot(""), listens: "0.0.0.0:80", daemon: "yes"},
	{name: "nginx, daemon off at the end", cmd: words("nginx"), files: map[string]string{"/etc/nginx/nginx.conf": "events {}\nhttp { server { listen 80; } }\ndaemon off;\n"}, listens: "0.0.0.0:80", daemon: "no"},
	{name: "nginx & wait", cmd: sh("nginx & wait"), files: nginxRoot(""), listens: "0.0.0.0:80", daemon: "yes"},
	{name: "apache, lower case", cmd: words("apache2ctl -D foreground"), files: map[string]string{"/etc/apache2/ports.conf": "Listen 80\n"}, listens: "0.0.0.0:80", daemon: "yes"},
	{name: "apache -k start in front", cmd: words("apache2ctl -k start -D FOREGROUND"), files: map[string]string{"/etc/apache2/ports.conf": "Listen 80\n"}, listens: "0.0.0.0:80", daemon: "no"},
	{name: "apachectl alone", cmd: words("apachectl"), listens: "-", ends: true, why: "usage"},
	{name: "Debian's redis.conf", cmd: words("redis-server /etc/redis/redis.conf"), files: map[string]string{"/etc/redis/redis.conf": "daemonize yes\nbind 127.0.0.1 -::1\n"}, listens: "127.0.0.1:6379", daemon: "yes"},
	{name: "redis, the command line wins", cmd: words("redis-server /etc/redis/redis.conf --daemonize no"), files: map[string]string{"/etc/redis/redis.conf": "daemonize yes\n"}, listens: "0.0.0.0:6379", daemon: "no"},
	{name: "redis, the last line wins", cmd: words("redis-server /etc/redis/redis.conf"), files: map[string]string{"/etc/redis/redis.conf": "daemonize yes\ndaemonize no\n"}, listens: "0.0.0.0:6379", daemon: "no"},
	{name: "php-fpm -D beats the file", cmd: words("php-fpm8.2 -D"), files: map[string]string{"/etc/php/8.2/fpm/php-fpm.conf": "[global]\ndaemonize = no\n"}, listens: "-", daemon: "yes"},
	{name: "haproxy -db", cmd: words("haproxy -db -f /h.cfg"), files: map[string]string{"/h.cfg": "global\n  daemon\n"}, listens: "-", daemon: "no"},
	{name: "haproxy, daemon in the file", cmd: words("haproxy -f /h.cfg"), files: map[string]string{"/h.cfg": "global\n  daemon\n"}, listens: "-", daemon: "yes"},
	{name: "supervisord, no variable", cmd: words("supervisord -c /s.conf"), env: []string{"SUPERVISOR_NODAEMON=true"}, files: map[string]string{"/s.conf": "[supervisord]\n"}, listens: "-", daemon: "yes"},
	{name: "official php-fpm", cmd: words("php-fpm"), files: map[string]string{"/usr/local/etc/php-fpm.conf": "[global]\ninclude=etc/php-fpm.d/*.conf\n", "/usr/local/etc/php-fpm.d/zz-docker.conf": "[global]\ndaemonize = no\n[www]\nlisten = 9000\n"}, listens: ":::9000", daemon: "no"},
	{name: "service && tail", cmd: sh("service nginx start && tail -f /log"), files: nginxRoot(""), listens: "0.0.0.0:80", daemon: "no"},
	{name: "a server and bash", cmd: sh("service nginx start && bash"), files: nginxRoot(""), listens: "-", ends: true, why: "shell"},
	{name: "trailing &", cmd: sh("gunicorn a &"), listens: "-", daemon: "no", ends: true},
	{name: "nohup … &", cmd: sh("nohup gunicorn a &"), listens: "-", daemon: "no", ends: true},
	{name: "a -F && b never starts b", cmd: sh("php-fpm8.2 -F && nginx"), files: map[string]string{"/etc/php/8.2/fpm/php-fpm.conf": "[global]\n[www]\nlisten = 9000\n"}, listens: ":::9000", daemon: "no", why: "never starts"},
	{name: "cron && app", cmd: sh("cron && gunicorn -b :1 a"), listens: "0.0.0.0:1", daemon: "no"},
	{name: "systemctl start", cmd: words("systemctl start nginx"), listens: "-", ends: true, why: "systemd"},
	{name: "dash stays in front", cmd: sh("gunicorn a"), listens: "127.0.0.1:8000", daemon: "no"},
}

// dynamicTraps say nothing that an image tells: they are the observer's.
var dynamicTraps = map[string]string{
	"14": "what HOSTNAME resolves to", "20": "xvfb-run waits for a signal that the first process never gets", "25": "ports by position are the Procfile manager's",
	"29": "a release's own variables", "30": "what the application answers", "31": "which version has a module", "32": "a stale process id", "35": "how the kernel refuses a script (pkg/launch tests what it can)",
	"ipv6": "IPv6 that is off but resolves", "zombies": "who reaps", "smbd": "setsid as the first process", "ready": "a port that is open for a second", "early": "listeners that are not the application's",
	"apache-env": "directories and variables that a wrapper makes", "disown": "a builtin that dash lacks", "wait status": "what wait returns", "pid file": "a live process id in a stale file",
}

func TestTraps(t *testing.T) {
	t.Parallel()
	if len(dynamicTraps) == 0 {
		t.Fatal("no trap is the observer's")
	}
	for _, tt := range append(append([]trap{}, appServerTraps...), daemonTraps...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t)
		})
	}
}

func (tt trap) check(t *testing.T) {
	t.Helper()
	root := image(tt.files)
	l := launch.Follow(facts.Config{Cmd: tt.cmd, WorkingDir: "/app"}, tt.env, root)
	p := servers.Predict(l, root)
	if got := spell(p); tt.listens != "-" && got != tt.listens {
		t.Errorf("listens on %q, want %q (%s)", got, tt.listens, p.Why)
	}
	ends := l.Ends + p.Ends + p.Interactive
	if p.Daemonizes != tt.daemon && !tt.ends && tt.listens != "?" {
		t.Errorf("Daemonizes = %q (%s), want %q", p.Daemonizes, p.DaemonWhy, tt.daemon)
	}
	if (ends != "") != tt.ends {
		t.Errorf("ends: %q, want %v", ends, tt.ends)
	}
	if all := strings.Join([]string{p.Why, p.DaemonWhy, ends, l.Why}, "|"); !strings.Contains(all, tt.why) {
		t.Errorf("says %q, want %q in it", all, tt.why)
	}
}
