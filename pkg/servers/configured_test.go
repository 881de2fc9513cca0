package servers_test

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

// configured are servers whose listeners stand in files, one case for every
// layer that can decide and for what must stay unknown.
var configured = []trap{
	{name: "uwsgi options", cmd: words("uwsgi --http 0.0.0.0:8080 --socket 127.0.0.1:3031 -w a"), listens: "0.0.0.0:8080 127.0.0.1:3031", daemon: "no"},
	{name: "uwsgi http alone has a socket inside", cmd: words("uwsgi --http :5000 -w wsgi"), listens: "0.0.0.0:5000 127.0.0.1:0", daemon: "no"},
	{name: "uwsgi ini", cmd: words("uwsgi --ini u.ini"), env: []string{"PORT=81"}, files: map[string]string{"/app/u.ini": "; x\n[other]\nhttp = :1\n[uwsgi]\nbase = 127.0.0.1\nhttp-socket = %(base):$(PORT)\nmaster\n"}, listens: "127.0.0.1:81", daemon: "no"},
	{name: "uwsgi ini in the background", cmd: words("uwsgi u.ini"), files: map[string]string{"/app/u.ini": "[uwsgi]\nhttp-socket = :80\ndaemonize = /l\n"}, listens: "0.0.0.0:80", daemon: "yes", why: "u.ini:3"},
	{name: "uwsgi ini with a shell's variable", cmd: words("uwsgi u.ini"), files: map[string]string{"/app/u.ini": "[uwsgi]\nhttp-socket = :${PORT}\n"}, listens: "?", why: "cannot read"},
	{name: "uwsgi ini that includes", cmd: words("uwsgi u.ini"), files: map[string]string{"/app/u.ini": "[uwsgi]\nhttp-socket = :80\nini = more.ini\n"}, listens: "0.0.0.0:80 ?", daemon: "no", why: "does not follow"},
	{name: "uwsgi yaml", cmd: words("uwsgi --yaml u.yml"), files: map[string]string{"/app/u.yml": "uwsgi:\n  http-socket: [':80', '127.0.0.1:81']\n"}, listens: "0.0.0.0:80 127.0.0.1:81", daemon: "no"},
	{name: "uwsgi variables", cmd: words("uwsgi"), env: []string{"UWSGI_HTTP_SOCKET=:8097"}, listens: "0.0.0.0:8097", daemon: "no"},
	{name: "uwsgi without a socket", cmd: words("uwsgi -w a"), listens: "?", why: "no socket"},

	{name: "sshd", cmd: words("/usr/sbin/sshd -D"), files: map[string]string{"/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n#Port 22\n", "/etc/ssh/sshd_config.d/a.conf": "Port 2222\n"}, listens: "0.0.0.0:2222", daemon: "no"},
	{name: "sshd -p beats the file", cmd: words("sshd -D -p 24"), files: map[string]string{"/etc/ssh/sshd_config": "Port 23\nListenAddress 127.0.0.1\nMatch User x\nPort 1\n"}, listens: "127.0.0.1:24", daemon: "no"},
	{name: "sshd without its file", cmd: words("sshd -D"), listens: "?", why: "sshd_config"},

	{name: "lighttpd", cmd: words("lighttpd -D -f /l.conf"), files: map[string]string{"/l.conf": "server.port = 8080\nserver.bind = \"127.0.0.1\"\n$SERVER[\"socket\"] == \":8443\" {\n ssl.engine = \"enable\"\n}\n"}, listens: "127.0.0.1:8080 0.0.0.0:8443", daemon: "no"},
	{name: "lighttpd includes", cmd: words("lighttpd -D -f /l.conf"), env: []string{"P=7"}, files: map[string]string{"/l.conf": "include \"/c/*.conf\"\n", "/c/a.conf": "server.port := env.P\n"}, listens: "0.0.0.0:7", daemon: "no"},
	{name: "lighttpd with a script", cmd: words("lighttpd -D -f /l.conf"), files: map[string]string{"/l.conf": "include_shell \"/x\"\n"}, listens: "0.0.0.0:80 ?", daemon: "no", why: "cannot tell"},

	{name: "haproxy", cmd: words("haproxy -db -f /h.cfg"), env: []string{"PORT=90"}, files: map[string]string{"/h.cfg": "defaults\n mode http\nfrontend a\n bind *:80\n bind 127.0.0.1:81,:82\nlisten s\n mode tcp\n bind \"${HOST-0.0.0.0}:$PORT\"\n"}, listens: "0.0.0.0:80 127.0.0.1:81 0.0.0.0:82 0.0.0.0:90", daemon: "no"},
	{name: "haproxy, a variable nobody set", cmd: words("haproxy -db -f /h.cfg"), files: map[string]string{"/h.cfg": "frontend a\n bind :${PORT}\n"}, listens: "?", why: "cannot read"},

	{name: "caddy's file", cmd: words("caddy run --config /etc/caddy/Caddyfile --adapter caddyfile"), env: []string{"PORT=8080"}, files: map[string]string{"/etc/caddy/Caddyfile": "{\n admin off\n}\n# c\n:{$PORT:80} {\n respond hi\n}\n"}, listens: ":::8080", daemon: "no"},
	{name: "caddy without braces", cmd: words("caddy run"), files: map[string]string{"/app/Caddyfile": ":8080\nbind 127.0.0.1\nrespond hi\n"}, listens: "127.0.0.1:8080 localhost:2019", daemon: "no"},
	{name: "caddy's names are served by HTTPS", cmd: words("caddy run"), files: map[string]string{"/app/Caddyfile": "{\n admin off\n}\na.example, b.example {\n}\nhttp://c.example:90 {\n}\n"}, listens: ":::443 :::90 :::80", daemon: "no"},
	{name: "caddy imports", cmd: words("caddy run"), files: map[string]string{"/app/Caddyfile": "import sites/*\n"}, listens: "?", why: "imports"},
	{name: "caddy file-server", cmd: words("caddy file-server --listen 127.0.0.1:8080"), listens: "127.0.0.1:8080", daemon: "no"},
	{name: "caddy reverse-proxy", cmd: words("caddy reverse-proxy --from :8080 --to :9000"), listens: ":::8080", daemon: "no"},

	{name: "tomcat", cmd: words("catalina.sh run"), files: map[string]string{"/usr/local/tomcat/conf/server.xml": "<Server port=\"8005\">\n<!-- <Connector port=\"1\"/> -->\n<Connector port=\"8080\" protocol=\"HTTP/1.1\"/>\n</Server>"}, listens: "localhost:8005 :::8080", daemon: "no"},
	{name: "tomcat's properties", cmd: words("/opt/t/bin/catalina.sh run"), env: []string{"CATALINA_OPTS=-Dp=90"}, files: map[string]string{"/opt/t/conf/server.xml": "<Server port=\"-1\"><Connector port=\"${p}\" address=\"127.0.0.1\"/></Server>"}, listens: "127.0.0.1:90", daemon: "no"},
	{name: "tomcat's startup.sh", cmd: words("/opt/t/bin/startup.sh"), files: map[string]string{"/opt/t/conf/server.xml": "<Server port=\"-1\"><Connector port=\"80\"/></Server>"}, listens: ":::80", daemon: "yes"},
	{name: "tomcat, a property nobody set", cmd: words("catalina.sh run"), files: map[string]string{"/usr/local/tomcat/conf/server.xml": "<Server port=\"-1\"><Connector port=\"${p}\"/></Server>"}, listens: "?", why: "cannot tell"},

	{name: "unicorn's file", cmd: words("unicorn -c c.rb"), env: []string{"PORT=4"}, files: map[string]string{"/app/c.rb": "worker_processes 2\nlisten ENV.fetch('PORT', 1), backlog: 64\nlisten '/tmp/u.sock'\n"}, listens: "0.0.0.0:4 unix:/tmp/u.sock", daemon: "no"},
	{name: "unicorn adds the file to -l", cmd: words("unicorn -l 127.0.0.1:1 -c c.rb"), files: map[string]string{"/app/c.rb": "listen '0.0.0.0:2'\n"}, listens: "127.0.0.1:1 0.0.0.0:2", daemon: "no"},
	{name: "hypercorn's TOML", cmd: words("hypercorn -c h.toml a:a"), files: map[string]string{"/app/h.toml": "bind = [\"0.0.0.0:80\", '127.0.0.1:81']\n"}, listens: "0.0.0.0:80 127.0.0.1:81", daemon: "no"},
	{name: "hypercorn's Python", cmd: words("hypercorn -c file:h.py a:a"), files: map[string]string{"/app/h.py": "bind = '0.0.0.0:80'\n"}, listens: "0.0.0.0:80", daemon: "no"},
	{name: "hypercorn --bind beats the file", cmd: words("hypercorn -c h.toml -b :9 a:a"), listens: "0.0.0.0:9", daemon: "no"},

	{name: "mongod", cmd: words("mongod"), listens: "localhost:27017", daemon: "no"},
	{name: "mongod's file", cmd: words("mongod -f /m.conf --port 1"), files: map[string]string{"/m.conf": "net:\n  port: 2\n  bindIp: 127.0.0.1,0.0.0.0\nprocessManagement:\n  fork: true\n"}, listens: "127.0.0.1:1 0.0.0.0:1", daemon: "yes", why: "fork"},
	{name: "mongod --bind_ip_all", cmd: words("mongod --bind_ip_all"), listens: "0.0.0.0:27017", daemon: "no"},

	{name: "vite's file", cmd: words("npx vite"), files: map[string]string{"/app/vite.config.js": "// host: '::'\nexport default defineConfig({ plugins: [x()],\n server: { proxy: { '/api': 'http://b:1' }, host: '0.0.0.0', port: 3000 } })\n"}, listens: "0.0.0.0:3000", daemon: "no"},
	{name: "vite's file without a server", cmd: words("npx vite"), files: map[string]string{"/app/vite.config.ts": "export default { plugins: [] }\n"}, listens: "localhost:5173", daemon: "no"},
	{name: "vite's computed port", cmd: words("npx vite"), files: map[string]string{"/app/vite.config.js": "export default { server: { port: Number(process.env.PORT) } }\n"}, listens: "localhost:5173 ?", daemon: "no", why: "only a run"},
	{name: "vite's options beat the file", cmd: words("npx vite --host 0.0.0.0 --port 8"), files: map[string]string{"/app/vite.config.js": "export default { ...base, server: s }\n"}, listens: "0.0.0.0:8", daemon: "no"},
	{name: "vite preview", cmd: words("vite preview"), files: map[string]string{"/app/vite.config.js": "export default { preview: { host: true, port: 80 } }\n"}, listens: ":::80", daemon: "no"},

	{name: "Spring Boot", cmd: words("java -jar app.jar"), files: map[string]string{"/app/app.jar": bootJar("")}, listens: ":::8080", daemon: "no"},
	{name: "Spring Boot's properties", cmd: words("java -Xmx1g -jar app.jar"), env: []string{"PORT=9"}, files: map[string]string{"/app/app.jar": bootJar("server.port=${PORT:8081}\nserver.address=127.0.0.1\n")}, listens: "127.0.0.1:9", daemon: "no"},
	{name: "Spring Boot's arguments", cmd: words("java -Dserver.port=1 -jar app.jar --server.port=2"), files: map[string]string{"/app/app.jar": bootJar("server.port=3\n")}, listens: ":::2", daemon: "no"},
	{name: "Spring Boot's variable", cmd: words("java -jar app.jar"), env: []string{"SERVER_PORT=4"}, files: map[string]string{"/app/app.jar": bootJar("server.port=3\n")}, listens: ":::4", daemon: "no"},
	{name: "Spring Boot, a file beside the jar", cmd: words("java -jar app.jar"), files: map[string]string{"/app/app.jar": bootJar("server.port=3\n"), "/app/application.yml": "server:\n  port: 5\n---\nspring.config.activate.on-profile: prod\nserver.port: 6\n"}, listens: ":::5", daemon: "no"},
	{name: "Spring Boot, a profile", cmd: words("java -jar app.jar"), env: []string{"SPRING_PROFILES_ACTIVE=prod"}, files: map[string]string{"/app/app.jar": bootJar(""), "/app/application.yml": "server:\n  port: 5\n---\nspring.config.activate.on-profile: prod\nserver.port: 6\n"}, listens: ":::6", daemon: "no"},
	{name: "Spring Boot, imported settings", cmd: words("java -jar app.jar"), files: map[string]string{"/app/app.jar": bootJar("spring.config.import=optional:x\n")}, listens: "?", why: "may decide"},
	{name: "another jar", cmd: words("java -jar app.jar"), files: map[string]string{"/app/app.jar": "PK"}, listens: "?", why: "code"},

	{name: "ASP.NET Core", cmd: words("dotnet a.dll"), env: []string{"ASPNETCORE_HTTP_PORTS=8080"}, files: aspNet, listens: ":::8080", daemon: "no"},
	{name: "ASP.NET Core's URLs", cmd: words("dotnet a.dll"), env: []string{"ASPNETCORE_URLS=http://+:80;http://localhost:81"}, files: aspNet, listens: ":::80 localhost:81", daemon: "no"},
	{name: "ASP.NET Core's default", cmd: words("dotnet a.dll"), files: aspNet, listens: "localhost:5000 ?", daemon: "no", why: "code"},
	{name: "a console program", cmd: words("dotnet b.dll"), files: aspNet, listens: "?", why: "code"},

	{name: "next's standalone server", cmd: words("node server.js"), env: []string{"HOSTNAME=0.0.0.0"}, files: nextServer, listens: "0.0.0.0:3000", daemon: "no"},
	{name: "next's standalone server on the container's name", cmd: words("node server.js"), env: []string{"PORT=80"}, files: nextServer, listens: ":80", daemon: "no"},

	{name: "nuxt", cmd: words("node .output/server/index.mjs"), env: []string{"NITRO_PORT=8"}, listens: ":::8", daemon: "no"},
	{name: "nuxt's development server", cmd: words("nuxt dev"), files: map[string]string{"/app/nuxt.config.ts": "devServer: {}"}, listens: ":::3000 ?", daemon: "no", why: "nuxt.config"},
	{name: "nuxt preview", cmd: words("nuxt preview"), env: []string{"PORT=8"}, listens: ":::8", daemon: "no"},
	{name: "live-server", cmd: words("live-server --no-browser"), listens: "0.0.0.0:8080", daemon: "no"},
	{name: "parcel", cmd: words("parcel index.html --host 127.0.0.1"), listens: "127.0.0.1:1234", daemon: "no"},
	{name: "parcel build", cmd: words("parcel build index.html"), listens: "", ends: true},
	{name: "docusaurus serve", cmd: words("docusaurus serve --host 127.0.0.1"), listens: ":::3000", daemon: "no"},
	{name: "docusaurus build", cmd: words("docusaurus build"), listens: "-", ends: true},
	{name: "fastify", cmd: words("fastify start app.js"), env: []string{"PORT=8"}, listens: "0.0.0.0:8", daemon: "no"},
	{name: "remix-serve", cmd: words("npx remix-serve build"), listens: ":::3000", daemon: "no"},
	{name: "gatsby develop", cmd: words("gatsby develop"), listens: "localhost:8000", daemon: "no"},
	{name: "gatsby serve", cmd: words("gatsby serve -H 0.0.0.0"), listens: "0.0.0.0:9000", daemon: "no"},
	{name: "gatsby build", cmd: words("gatsby build"), listens: "-", ends: true},
	{name: "hugo server", cmd: words("hugo server -D"), listens: "127.0.0.1:1313", daemon: "no"},
	{name: "hugo", cmd: words("hugo --minify"), listens: "-", ends: true},
	{name: "mlflow", cmd: words("mlflow server --backend-store-uri sqlite:///m.db"), listens: "127.0.0.1:5000", daemon: "no"},
	{name: "tensorboard", cmd: words("tensorboard --logdir /l --host 0.0.0.0"), listens: "0.0.0.0:6006", daemon: "no"},
	{name: "sanic", cmd: words("sanic app:app -p 80"), listens: "127.0.0.1:80", daemon: "no"},
	{name: "flower", cmd: words("flower --port=80"), listens: "0.0.0.0:80", daemon: "no"},
	{name: "octane", cmd: words("php artisan octane:start --server=swoole"), listens: "127.0.0.1:8000", daemon: "no"},
	{name: "minio", cmd: words("minio server /data"), listens: ":::9000 ?", daemon: "no", why: "console"},
	{name: "storybook", cmd: words("storybook dev"), listens: "?", why: "free port"},
	{name: "fastapi run --port", cmd: words("fastapi run --port 80"), env: []string{"PORT=9"}, listens: "0.0.0.0:80", daemon: "no"},
	{name: "fastapi run", cmd: words("fastapi run main.py"), listens: "0.0.0.0:8000", daemon: "no"},
	{name: "fastapi dev with PORT", cmd: words("fastapi dev"), env: []string{"PORT=9"}, listens: "127.0.0.1:8000 ?", why: "PORT"},
	{name: "nats", cmd: words("nats-server -js -p 4333"), listens: "0.0.0.0:4333", daemon: "no"},
	{name: "nats with a file", cmd: words("nats-server -c n.conf"), listens: "?", why: "file"},
	{name: "kafka", cmd: words("kafka-server-start.sh config/server.properties"), listens: "?", daemon: "no"},
	{name: "kafka in the background", cmd: words("kafka-server-start.sh -daemon config/server.properties"), listens: "-", daemon: "yes"},
	{name: "ping", cmd: words("ping example.org"), listens: "", daemon: "no"},
	{name: "mongos", cmd: words("mongos"), listens: "?"},
}

var aspNet = map[string]string{
	"/app/a.runtimeconfig.json": `{"runtimeOptions":{"frameworks":[{"name":"Microsoft.NETCore.App"},{"name":"Microsoft.AspNetCore.App"}]}}`,
	"/app/b.runtimeconfig.json": `{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App"}}}`,
}

var nextServer = map[string]string{
	"/app/server.js": "const currentPort = parseInt(process.env.PORT, 10) || 3000\nconst hostname = process.env.HOSTNAME || '0.0.0.0'\nrequire('next')\n",
}

// bootJar is a Spring Boot jar with these application.properties.
func bootJar(properties string) string {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range map[string]string{"BOOT-INF/lib/tomcat-embed-core-10.1.jar": "", "BOOT-INF/classes/application.properties": properties} {
		f, err := w.Create(name)
		if err != nil {
			panic(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.String()
}

func TestConfigured(t *testing.T) {
	t.Parallel()
	for _, tt := range configured {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t)
		})
	}
}

// TestConfiguredRemedies: what is offered for a listener on loopback really opens it.
func TestConfiguredRemedies(t *testing.T) {
	t.Parallel()
	for _, tt := range configured {
		p := predict(tt.cmd, tt.env, tt.files)
		for _, fix := range p.FixPublic {
			if len(fix.Argv) == 0 {
				continue
			}
			after := predict(fix.Argv, append(tt.env, fix.Env...), tt.files)
			open := false
			for _, l := range after.Listens {
				open = open || l.Scope == facts.ScopeAny
			}
			if !open {
				t.Errorf("%s: %q still listens on %q", tt.name, fix.Argv, spell(after))
			}
		}
	}
}
