package servers

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

func TestCatalogueIsSound(t *testing.T) {
	t.Parallel()
	all, err := load(catalogueFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if len(s.Foreground) == 0 {
			continue
		}
		daemon := s.evaluate != nil
		for _, d := range s.Decide {
			daemon = daemon || d.Then == "daemon"
		}
		if !daemon {
			t.Errorf("%s: says how to stay in the foreground and never leaves it", s.ID)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := "id: a\ntitle: a\nsource: s\nprograms: [a]\n"
	for _, tt := range []struct{ text, want string }{
		{good + "none: true\n", ""},
		{good, "nothing says what it listens on"},
		{good + "nonsense: 1\n", "nonsense"},
		{"id: a\nprograms: [a]\nnone: true\n", "missing"},
		{good + "evaluator: nope\n", "no evaluator"},
		{good + "none: true\ndecide: [{then: perhaps}]\n", "perhaps"},
		{good + "none: true\ndecide: [{value: '(', then: ends}]\n", "value"},
		{good + "port: {conf: {pattern: '['}}\n", "pattern"},
		{good + "none: true\ndecide: [{conf: {unless: '['}, then: ends}]\n", "pattern"},
	} {
		_, err := decode([]byte(tt.text))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("decode(%q) = %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestReadPyConf(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, key, want string }{
		{"bind = '0.0.0.0:80'", "bind", "0.0.0.0:80"},
		{"bind = \"\"\"a\"\"\"", "bind", "a"},
		{"bind = ['a', \"b\"] # both", "bind", "a b"},
		{"bind = (\n  'a:' +\n  str(1 + 2)\n)\n", "bind", "a:3"},
		{"import os\nbind = ':' + os.environ.get('PORT', '8000')", "bind", ":99"},
		{"import os\nbind = ':%s' % os.getenv('NOPE', 1)", "bind", ":1"},
		{"import os\nbind = '{}:{}'.format('h', os.environ['PORT'])", "bind", "h:99"},
		{"import os\nbind = os.environ['NOPE']", "bind", "the variable NOPE is not set"},
		{"import os\nbind = os.getenv('NOPE')", "bind", "it is None"},
		{"p = 5\nbind = f'0.0.0.0:{p}'", "bind", "0.0.0.0:5"},
		{"bind = f'{p:03}'", "bind", "only a run can tell its value"},
		{"timeout = int('12') * 2", "timeout", "24"},
		{"import multiprocessing\nworkers = multiprocessing.cpu_count() * 2 + 1", "workers", "only a run can tell its value"},
		{"preload_app = True if 1 == 1 else False", "preload_app", "True"},
		{"if x:\n  bind = 'a'\n", "bind", "it is set conditionally"},
		{"bind = 'a'\nif x: bind = 'b'\n", "bind", "it is set conditionally"},
		{"def f():\n  bind = 'a'\n", "bind", "not set"},
		{"def f():\n  global bind\n  bind = 'a'\n", "bind", "a function sets it"},
		{"from base import *\n", "bind", "it may be set elsewhere"},
		{"from base import bind\n", "bind", "it is imported"},
		{"bind = 'a'\nbind += 'b'", "bind", "it is changed with +="},
		{"bind, x = 'a', 1", "bind", "it is unpacked"},
		{"bind: str = 'a'", "bind", "a"},
		{"BIND = 'a'", "bind", "not set"},
		{"'''\nbind = 'no'\n'''\n", "bind", "not set"},
	}
	for _, tt := range tests {
		v, ok := readPyConf(tt.text, map[string]string{"PORT": "99"}).values[tt.key]
		got := strings.Join(v.texts, " ")
		switch {
		case !ok:
			got = "not set"
		case v.err != nil:
			got = v.err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: %s = %q, want %q", tt.text, tt.key, got, tt.want)
		}
	}
}

func TestAddressGrammar(t *testing.T) {
	t.Parallel()
	g := addressGrammar{Port: 8000, EmptyHost: "0.0.0.0", Number: "error", Schemes: []string{"tcp://"}}
	for _, tt := range []struct {
		text, host string
		port       int
	}{
		{"1.2.3.4:5", "1.2.3.4", 5}, {"h", "h", 8000}, {":7", "0.0.0.0", 7}, {"[::]:8", "::", 8}, {"[::1]", "::1", 8000}, {"tcp://h:9", "h", 9},
		{"8003", "", 0}, {"*:1", "", 0}, {"a:1,b:2", "", 0}, {"http://h:1", "", 0}, {"h:", "", 0}, {"h:x", "", 0}, {"$H:1", "", 0}, {"h:70000", "", 0},
	} {
		host, port, err := g.split(tt.text)
		if (err == nil) != (tt.host != "") || err == nil && (host != tt.host || port != tt.port) {
			t.Errorf("split(%q) = %q, %d, %v", tt.text, host, port, err)
		}
	}
}

func TestNginxTokens(t *testing.T) {
	t.Parallel()
	var got []string
	for _, tok := range nginxTokens("a 'b;c' \"d\\\"e\"; # x\nf ${g} {h;}\n") {
		got = append(got, tok.text)
	}
	want := []string{"a", "b;c", "d\"e", ";", "f", "${g}", "{", "h", ";", "}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func FuzzPredict(f *testing.F) {
	f.Add("gunicorn -Db :80 a", "bind = f'{x}'\nif x: y = 1", "PORT")
	f.Add("nginx -g 'daemon off;'", "http { server { listen 80; } }", "1")
	f.Add("redis-server /c --bind a b", "bind 1 -::1\ndaemonize yes", "")
	f.Add("supervisord -c /c", "[program:x]\ncommand=gunicorn a", "")
	f.Add("puma -C /c", "port ENV.fetch('A') { 1 }\nbind \"tcp://#{x}\"", "")
	f.Fuzz(func(t *testing.T, command, file, env string) {
		c := facts.Command{Env: []string{"PORT=" + env, "GUNICORN_CMD_ARGS=" + command}, Dir: "/app"}
		for _, w := range strings.Fields(command) {
			c.Argv = append(c.Argv, facts.Word{Text: w, Known: true})
		}
		one := &fstest.MapFile{Data: []byte(file)}
		files := fstest.MapFS{"c": one, "app/gunicorn.conf.py": one, "etc/nginx/nginx.conf": one, "app/config/puma.rb": one, "etc/apache2/ports.conf": one, "usr/local/etc/php-fpm.conf": one}
		Predict(facts.Launch{Argv: c.Words(), Known: facts.Yes, Command: c, Before: []facts.Command{c}}, files)
	})
}
