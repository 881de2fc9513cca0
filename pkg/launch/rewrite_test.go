package launch

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func TestRewrite(t *testing.T) {
	t.Parallel()
	ep := func(words ...string) []string { return words }
	tests := []struct {
		name            string
		entrypoint, cmd []string
		env             []string
		remedy          facts.Remedy
		change          finding.Change
		instruction     string
	}{
		{
			name: "exec form", cmd: ep("gunicorn", "shop:app"),
			remedy: facts.Remedy{Argv: ep("gunicorn", "--bind", "0.0.0.0:8000", "shop:app")},
			change: finding.Change{Cmd: ep("gunicorn", "--bind", "0.0.0.0:8000", "shop:app")}, instruction: `CMD ["gunicorn", "--bind", "0.0.0.0:8000", "shop:app"]`,
		},
		{
			name: "below a wrapper", entrypoint: ep("tini", "--"), cmd: ep("nginx"),
			remedy: facts.Remedy{Argv: ep("nginx", "-g", "daemon off;")},
			change: finding.Change{Cmd: ep("nginx", "-g", "daemon off;")}, instruction: `CMD ["nginx", "-g", "daemon off;"]`,
		},
		{
			name: "at the border", entrypoint: ep("gunicorn"), cmd: ep("shop:app"),
			remedy: facts.Remedy{Argv: ep("gunicorn", "-b", ":80", "shop:app")},
			change: finding.Change{Cmd: ep("-b", ":80", "shop:app")}, instruction: `CMD ["-b", ":80", "shop:app"]`,
		},
		{
			name: "in the entrypoint", entrypoint: ep("gunicorn", "-b", "localhost"), cmd: ep("shop:app"),
			remedy: facts.Remedy{Argv: ep("gunicorn", "-b", ":80", "shop:app")},
			change: finding.Change{Entrypoint: ep("gunicorn", "-b", ":80"), Cmd: ep("shop:app")}, instruction: `ENTRYPOINT ["gunicorn", "-b", ":80"]`,
		},
		{
			name: "shell form keeps the variable", cmd: sh(`exec gunicorn --bind 127.0.0.1:$PORT "shop:app"  # serve`), env: []string{"PORT=8000"},
			remedy: facts.Remedy{Argv: ep("gunicorn", "--bind", "0.0.0.0:8000", "shop:app")},
			change: finding.Change{Cmd: sh(`exec gunicorn --bind 0.0.0.0:$PORT "shop:app"  # serve`)}, instruction: `CMD exec gunicorn --bind 0.0.0.0:$PORT "shop:app"  # serve`,
		},
		{
			name: "inside quotes", cmd: sh(`migrate && gunicorn -b "127.0.0.1:${PORT:-80}" x`),
			remedy: facts.Remedy{Argv: ep("gunicorn", "-b", "0.0.0.0:80", "x")},
			change: finding.Change{Cmd: sh(`migrate && gunicorn -b "0.0.0.0:${PORT:-80}" x`)}, instruction: `CMD migrate && gunicorn -b "0.0.0.0:${PORT:-80}" x`,
		},
		{
			name: "a whole variable", cmd: sh(`uvicorn --host $HOST x`), env: []string{"HOST=localhost"},
			remedy: facts.Remedy{Argv: ep("uvicorn", "--host", "0.0.0.0", "x")},
			change: finding.Change{Cmd: sh(`uvicorn --host 0.0.0.0 x`)}, instruction: `CMD uvicorn --host 0.0.0.0 x`,
		},
		{
			name: "an inserted word is quoted", cmd: sh(`nginx`),
			remedy: facts.Remedy{Argv: ep("nginx", "-g", "daemon off;")},
			change: finding.Change{Cmd: sh(`nginx -g 'daemon off;'`)}, instruction: `CMD nginx -g 'daemon off;'`,
		},
		{
			name: "words with unknown values stay", cmd: sh(`gunicorn -w $(nproc) x`),
			remedy: facts.Remedy{Argv: ep("gunicorn", "-b", ":80", "-w", "$(nproc)", "x")},
			change: finding.Change{Cmd: sh(`gunicorn -b :80 -w $(nproc) x`)}, instruction: `CMD gunicorn -b :80 -w $(nproc) x`,
		},
		{
			name: "removing a word", cmd: sh(`gunicorn -D x`),
			remedy: facts.Remedy{Argv: ep("gunicorn", "x")},
			change: finding.Change{Cmd: sh(`gunicorn x`)}, instruction: `CMD gunicorn x`,
		},
		{
			name: "only the ampersand", cmd: sh(`gunicorn x &`),
			remedy: facts.Remedy{Argv: ep("gunicorn", "x")},
			change: finding.Change{Cmd: sh(`gunicorn x`)}, instruction: `CMD gunicorn x`,
		},
		{
			name: "a script in exec form of another shell", cmd: ep("bash", "-c", "nginx"),
			remedy: facts.Remedy{Argv: ep("nginx", "-e", "x")},
			change: finding.Change{Cmd: ep("bash", "-c", "nginx -e x")}, instruction: `CMD ["bash", "-c", "nginx -e x"]`,
		},
		{
			name: "env", cmd: ep("x"), remedy: facts.Remedy{Env: []string{"HOSTNAME=0.0.0.0", "A=b c"}},
			change: finding.Change{Env: []string{"HOSTNAME=0.0.0.0", "A=b c"}}, instruction: "ENV HOSTNAME=0.0.0.0\nENV A=\"b c\"",
		},
		{name: "an edit of a file", cmd: ep("x"), remedy: facts.Remedy{Edit: "write it"}},
		{name: "through a script of npm", cmd: ep("npm", "start"), remedy: facts.Remedy{Argv: ep("vite", "--host")}},
		{name: "words that do not map", cmd: sh(`X="a b"; gunicorn $X`), remedy: facts.Remedy{Argv: ep("gunicorn", "-b", "a", "b")}},
	}
	files := image(map[string]string{"app/package.json": `{"scripts":{"start":"vite"}}`})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := facts.Config{Entrypoint: tt.entrypoint, Cmd: tt.cmd, WorkingDir: "/app"}
			l := Follow(cfg, tt.env, files)
			change, instruction, ok := Rewrite(cfg, l, tt.remedy)
			if ok != (tt.instruction != "") {
				t.Fatalf("ok = %v, %q", ok, instruction)
			}
			if diff := cmp.Diff(tt.change, change); diff != "" {
				t.Errorf("change: -want +got\n%s", diff)
			}
			if instruction != tt.instruction {
				t.Errorf("instruction = %q, want %q", instruction, tt.instruction)
			}
			if ok && tt.remedy.Argv != nil {
				rewritten(t, cfg, change, tt.env, tt.remedy.Argv)
			}
		})
	}
}

// rewritten follows the changed image: it must run the remedy's words.
func rewritten(t *testing.T, cfg facts.Config, change finding.Change, env, want []string) {
	t.Helper()
	if change.Entrypoint != nil {
		cfg.Entrypoint = change.Entrypoint
	}
	if change.Cmd != nil {
		cfg.Cmd = change.Cmd
	}
	l := Follow(cfg, env, image(nil))
	if diff := cmp.Diff(want, l.Command.Words()); diff != "" || l.Ends != "" {
		t.Errorf("the changed image runs something else: -want +got\n%s%s", diff, l.Ends)
	}
}
