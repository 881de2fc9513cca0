package servers_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/servers"
)

func TestRemedies(t *testing.T) {
	t.Parallel()
	redisConf := map[string]string{"/etc/redis/redis.conf": "bind 127.0.0.1\ndaemonize yes\n"}
	nginxConf := map[string]string{"/etc/nginx/nginx.conf": "http { server { listen 127.0.0.1:80; } }"}
	tests := []struct {
		cmd        []string
		env        []string
		files      map[string]string
		public     string // the first remedy's words joined with |, or its edit or env
		foreground string
	}{
		{cmd: words("gunicorn --workers 2 shop:app"), public: "gunicorn|--bind|0.0.0.0:8000|--workers|2|shop:app"},
		{cmd: words("python -m gunicorn shop:app"), public: "python|-m|gunicorn|--bind|0.0.0.0:8000|shop:app"},
		{cmd: words("gunicorn -b localhost:5000 shop:app"), public: "gunicorn|-b|0.0.0.0:5000|shop:app"},
		{cmd: words("gunicorn --bind=127.0.0.1 shop:app"), public: "gunicorn|--bind=0.0.0.0:8000|shop:app"},
		{cmd: words("gunicorn -b127.0.0.1:9 shop:app"), public: "gunicorn|-b0.0.0.0:9|shop:app"},
		{cmd: words("gunicorn -b unix:/tmp/x shop:app"), public: "gunicorn|-b|0.0.0.0:8000|shop:app"},
		{cmd: words("gunicorn shop:app"), files: map[string]string{"/app/gunicorn.conf.py": "bind='127.0.0.1:7'"}, public: "gunicorn|--bind|0.0.0.0:7|shop:app"},
		{cmd: words("gunicorn -Db :80 shop:app"), foreground: "gunicorn|-b|:80|shop:app"},
		{cmd: words("gunicorn -b :80 shop:app"), files: map[string]string{"/app/gunicorn.conf.py": "daemon=True"}, foreground: "/app/gunicorn.conf.py:1: remove daemon"},
		{cmd: words("uvicorn app:app --port 80"), public: "uvicorn|--host|0.0.0.0|app:app|--port|80"},
		{cmd: words("flask --app x run"), public: "flask|--app|x|run|--host|0.0.0.0"},
		{cmd: words("python manage.py runserver"), public: "python|manage.py|runserver|0.0.0.0:8000"},
		{cmd: words("python manage.py runserver localhost:80"), public: "python|manage.py|runserver|0.0.0.0:80"},
		{cmd: words("rails s -p 80"), public: "rails|s|-b|0.0.0.0|-p|80"},
		{cmd: words("puma -b tcp://127.0.0.1:80"), public: "puma|-b|tcp://0.0.0.0:80"},
		{cmd: words("php -S localhost:8000"), public: "php|-S|0.0.0.0:8000"},
		{cmd: words("vite"), public: "vite|--host|0.0.0.0"},
		{cmd: words("redis-server /etc/redis/redis.conf"), files: redisConf, public: "redis-server|/etc/redis/redis.conf|--bind|0.0.0.0|--protected-mode|no", foreground: "redis-server|/etc/redis/redis.conf|--daemonize|no"},
		{cmd: words("redis-server --bind 127.0.0.1 ::1 --port 7"), public: "redis-server|--bind|0.0.0.0|--port|7|--protected-mode|no"},
		{cmd: words("react-scripts start"), env: []string{"HOST=localhost"}, public: "HOST=0.0.0.0"},
		{cmd: words("nginx"), files: nginxConf, public: "/etc/nginx/nginx.conf:1: listen 80;", foreground: "nginx|-g|daemon off;"},
		{cmd: words("service nginx start"), foreground: "nginx|-g|daemon off;"},
		{cmd: words("service php8.2-fpm start"), foreground: "php-fpm8.2|-F"},
		{cmd: words("apache2ctl start"), foreground: "apache2ctl|-D|FOREGROUND"},
		{cmd: words("catalina.sh start"), foreground: "catalina.sh|run"},
		{cmd: words("supervisord -c /s.conf"), files: map[string]string{"/s.conf": "[supervisord]\n"}, foreground: "supervisord|-n|-c|/s.conf"},
		{cmd: words("cron"), foreground: "cron|-f"},
		{cmd: words("pm2 start server.js"), foreground: "pm2-runtime|start|server.js"},
		{cmd: words("forever start server.js"), foreground: "forever|server.js"},
		{cmd: sh("gunicorn -b :80 a &"), foreground: "gunicorn|-b|:80|a"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.cmd, " "), func(t *testing.T) {
			t.Parallel()
			p := predict(tt.cmd, tt.env, tt.files)
			if diff := cmp.Diff(tt.public, firstRemedy(p.FixPublic)); diff != "" {
				t.Errorf("FixPublic: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.foreground, firstRemedy(p.FixForeground)); diff != "" {
				t.Errorf("FixForeground: -want +got\n%s", diff)
			}
		})
	}
}

func firstRemedy(all []facts.Remedy) string {
	if len(all) == 0 {
		return ""
	}
	r := all[0]
	return strings.Join(r.Argv, "|") + strings.Join(r.Env, "|") + r.Edit
}

func TestGunicornRemedies(t *testing.T) {
	t.Parallel()
	g := predict(words("gunicorn -t 5 -k gevent a"), nil, nil).Gunicorn
	if got := firstRemedy(g.FixPreload); got != "gunicorn|--preload|-t|5|-k|gevent|a" {
		t.Errorf("FixPreload = %q", got)
	}
	if got := firstRemedy(g.FixTimeout); got != "gunicorn|-t|120|-k|gevent|a" {
		t.Errorf("FixTimeout = %q", got)
	}
}

// TestRemediesCure predicts every measured command again with each of its
// remedies: the fault must be gone and the ports must stay.
func TestRemediesCure(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, row := range readObserved(t) {
		env := strings.Fields(row.env)
		l := launch.Follow(facts.Config{Cmd: row.argv(), WorkingDir: "/app"}, env, row.files)
		if l.Known != facts.Yes || len(l.Before)+len(l.Background) > 0 {
			continue
		}
		p := servers.Predict(l, row.files)
		again := func(r facts.Remedy) facts.Prediction {
			checked++
			words := r.Argv
			if words == nil {
				words = l.Command.Words()
			}
			return servers.Predict(launch.Follow(facts.Config{Cmd: words, WorkingDir: "/app"}, append(env, r.Env...), fstest.MapFS{}), fstest.MapFS{})
		}
		for _, r := range p.FixPublic {
			if r.Edit != "" {
				continue
			}
			if why := stillPrivate(p, again(r)); why != "" {
				t.Errorf("%s: public by %q %q: %s", row.id, r.Argv, r.Env, why)
			}
		}
		for _, r := range p.FixForeground {
			if cured := again(r); r.Edit == "" && cured.Daemonizes == facts.Yes {
				t.Errorf("%s: foreground by %q: %s", row.id, r.Argv, cured.DaemonWhy)
			}
		}
	}
	if checked < 150 {
		t.Errorf("only %d remedies were checked", checked)
	}
}

// stillPrivate compares the listeners: a repeated option may leave others as
// they are, but one loopback listener fewer and the same ports must be there.
func stillPrivate(before, after facts.Prediction) string {
	private := func(p facts.Prediction) (n int) {
		for _, l := range p.Listens {
			if l.Network == "tcp" && l.Scope != facts.ScopeAny && l.Scope != facts.ScopeAny6 {
				n++
			}
		}
		return n
	}
	if private(after) >= max(private(before), 1) {
		return "it still listens on loopback"
	}
	for i, l := range before.Listens {
		if l.Network == "tcp" && l.Port != 0 && (i >= len(after.Listens) || after.Listens[i].Port != l.Port) {
			return "the port is another"
		}
	}
	return ""
}
