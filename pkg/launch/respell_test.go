package launch_test

import (
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

func TestRespell(t *testing.T) {
	t.Parallel()
	type words = []string
	tests := []struct {
		entrypoint, cmd words
		want            string // "": there is nothing to do
	}{
		{words{"tini"}, words{"gunicorn", "-b", ":8000", "shop:app"}, `ENTRYPOINT ["tini", "--"]`},
		{words{"/usr/bin/tini", "-g", "-p", "SIGTERM"}, words{"gunicorn", "-b", ":8000"}, `ENTRYPOINT ["/usr/bin/tini", "-g", "-p", "SIGTERM", "--"]`},
		{words{"tini", "gunicorn"}, words{"-b", ":8000"}, `ENTRYPOINT ["tini", "--", "gunicorn"]`},
		{nil, words{"tini", "gunicorn", "-b", ":8000"}, `CMD ["tini", "--", "gunicorn", "-b", ":8000"]`},
		{words{"tini", "--"}, words{"gunicorn", "-b", ":8000"}, ""},
		{words{"tini"}, words{"/start.sh", "web"}, ""},
		{words{"tini"}, words{"gunicorn"}, ""},
		{words{"dumb-init"}, words{"gunicorn", "-b", ":8000"}, ""},
		{nil, words{"sh", "-c", "python3", "app.py"}, `CMD ["python3", "app.py"]`},
		{nil, words{"bash", "-c", "gunicorn", "-b", "0.0.0.0:$PORT", "shop:app"}, `CMD ["bash", "-c", "exec gunicorn -b \"0.0.0.0:$PORT\" shop:app"]`},
		{words{"/bin/sh", "-c"}, words{"python3", "app.py", "--name", "it's"}, `CMD ["exec python3 app.py --name 'it'\\''s'"]`},
		{words{"sh", "-c"}, words{"python3", "app.py"}, `CMD ["exec python3 app.py"]`},
		{nil, words{"sh", "-c", "exec python3 app.py"}, ""},
		{nil, words{"sh", "-c", `exec "$0" "$@"`, "python3", "app.py"}, ""}, // as it is meant to be used
		{nil, words{"sh", "-e", "start.sh", "x"}, ""},
		{words{"sh", "-c", "x"}, words{"python3", "app.py"}, ""},
	}
	for _, tt := range tests {
		r, ok := launch.Respell(facts.Config{Entrypoint: tt.entrypoint, Cmd: tt.cmd})
		if r.Instruction != tt.want || ok != (tt.want != "") {
			t.Errorf("ENTRYPOINT %q CMD %q: got %q, %v, want %q", tt.entrypoint, tt.cmd, r.Instruction, ok, tt.want)
		}
	}
}
