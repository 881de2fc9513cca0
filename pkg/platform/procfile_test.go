package platform

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestServices(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{".aptible/Procfile": {Data: []byte("# services\nweb: exec gunicorn --bind 0.0.0.0:$PORT shop:app\r\n\nworker:celery -A shop\nnot a service\n")}}
	want := []Service{
		{Name: "web", Line: "exec gunicorn --bind 0.0.0.0:$PORT shop:app", File: "/.aptible/Procfile", Number: 2},
		{Name: "worker", Line: "celery -A shop", File: "/.aptible/Procfile", Number: 4},
	}
	got, err := load(t, "aptible").Services(files)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("services, %v (-want +got):\n%s", err, diff)
	}
	for name, files := range map[string]fs.FS{"heroku": files, "aptible": fstest.MapFS{}} {
		if got, err := load(t, name).Services(files); err != nil || got != nil {
			t.Errorf("%s: services %v, %v: there is no Procfile for it", name, got, err)
		}
	}
	if _, err := load(t, "aptible").Services(fstest.MapFS{".aptible/Procfile/x": {}}); err == nil {
		t.Error("a Procfile that cannot be read has to be an error")
	}
}

// TestServiceArgv holds the two ways apart; see the page on services.
func TestServiceArgv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		entrypoint []string
		line       string
		argv       []string
	}{
		{"a shell runs the line", nil, "gunicorn --bind 0.0.0.0:$PORT", []string{"/bin/sh", "-c", "gunicorn --bind 0.0.0.0:$PORT"}},
		{"an entrypoint gets literal words", []string{"/ep"}, "gunicorn --bind 0.0.0.0:$PORT", []string{"/ep", "gunicorn", "--bind", "0.0.0.0:$PORT"}},
		{"quotes are removed", []string{"/ep"}, `sh -c "echo 'a b'" 'c "d"' e\ f ""`, []string{"/ep", "sh", "-c", "echo 'a b'", `c "d"`, "e f", ""}},
		{"operators are words", []string{"/ep"}, "migrate && serve", []string{"/ep", "migrate", "&&", "serve"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			entrypoint, cmd := Service{Line: test.line}.Argv(test.entrypoint)
			if diff := cmp.Diff(test.argv, append(append([]string{}, entrypoint...), cmd...)); diff != "" {
				t.Errorf("argv (-want +got):\n%s", diff)
			}
		})
	}
}
