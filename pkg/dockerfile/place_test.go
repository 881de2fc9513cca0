package dockerfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	src := "FROM nginx:1.27\nENV HOST=localhost A=1\nENV HOST=127.0.0.1\nEXPOSE 80 8080\nENTRYPOINT [\"tini\", \"--\"]\nCMD [\"gunicorn\", \\\n  # gunicorn's own\n  \"-c\", \"gunicorn.py\", \"shop:app\"]\n"
	img := facts.Image{
		Config:  facts.Config{User: "nginx", Cmd: []string{"gunicorn"}, Entrypoint: []string{"tini"}},
		History: []facts.History{{CreatedBy: "USER nginx"}},
	}
	_, d := compute(t, src, Options{File: "Dockerfile"})
	cmd := finding.Place{Field: finding.FieldCmd, File: "Dockerfile", Line: 6, EndLine: 8, Source: `CMD ["gunicorn", \`}
	tests := []struct {
		name  string
		field finding.Field
		words string
		want  finding.Place
	}{
		{"a whole argument with its quotes", finding.FieldCmd, "gunicorn",
			finding.Place{File: "Dockerfile", Line: 6, EndLine: 6, Source: `CMD ["gunicorn", \`, Column: 6, EndColumn: 16}},
		{"on a continuation line", finding.FieldCmd, "shop:app",
			finding.Place{File: "Dockerfile", Line: 8, EndLine: 8, Source: `  "-c", "gunicorn.py", "shop:app"]`, Column: 24, EndColumn: 34}},
		{"several arguments", finding.FieldCmd, "-c gunicorn.py",
			finding.Place{File: "Dockerfile", Line: 8, EndLine: 8, Source: `  "-c", "gunicorn.py", "shop:app"]`, Column: 3, EndColumn: 22}},
		{"words that are not there", finding.FieldCmd, "uvicorn", cmd},
		{"no words", finding.FieldCmd, "", cmd},
		{"a word and not a part of one", finding.FieldExpose, "80",
			finding.Place{File: "Dockerfile", Line: 4, EndLine: 4, Source: "EXPOSE 80 8080", Column: 8, EndColumn: 10}},
		{"the last ENV with the words", finding.FieldEnv, "HOST",
			finding.Place{File: "Dockerfile", Line: 3, EndLine: 3, Source: "ENV HOST=127.0.0.1", Column: 5, EndColumn: 9}},
		{"an earlier ENV, where the words are", finding.FieldEnv, "localhost",
			finding.Place{File: "Dockerfile", Line: 2, EndLine: 2, Source: "ENV HOST=localhost A=1", Column: 10, EndColumn: 19}},
		{"inherited", finding.FieldUser, "nginx",
			finding.Place{File: "Dockerfile", Inherited: "nginx:1.27", Source: "USER nginx", Column: 6, EndColumn: 11}},
		{"set by nothing", finding.FieldHealthcheck, "",
			finding.Place{File: "Dockerfile", Line: 6, EndLine: 8, Source: `CMD ["gunicorn", \`}},
		{"FROM", finding.FieldFrom, "nginx:1.27",
			finding.Place{File: "Dockerfile", Line: 1, EndLine: 1, Source: "FROM nginx:1.27", Column: 6, EndColumn: 16}},
		{"no field", finding.FieldNone, "x", finding.Place{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Field, test.want.Words = test.field, test.words
			if diff := cmp.Diff(test.want, Place(d, img, finding.Place{Field: test.field, Words: test.words})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaceWithoutDockerfile(t *testing.T) {
	t.Parallel()
	img := facts.Image{
		Config: facts.Config{Cmd: []string{"gunicorn", "app"}, Env: []string{"A=1", "HOST=127.0.0.1"}},
		History: []facts.History{
			{CreatedBy: "/bin/sh -c #(nop)  CMD [\"bash\"]"}, {CreatedBy: "ENV HOST=127.0.0.1"}, {CreatedBy: "ENV A=1"}, {CreatedBy: `CMD ["gunicorn" "app"]`},
		},
	}
	want := finding.Place{Field: finding.FieldCmd, Words: "gunicorn", Source: `CMD ["gunicorn", "app"]`, Column: 6, EndColumn: 16}
	if diff := cmp.Diff(want, Place(nil, img, finding.Place{Field: finding.FieldCmd, Words: "gunicorn"})); diff != "" {
		t.Errorf("CMD (-want +got):\n%s", diff)
	}
	want = finding.Place{Field: finding.FieldEnv, Words: "HOST", Source: "ENV HOST=127.0.0.1", Column: 5, EndColumn: 9}
	if diff := cmp.Diff(want, Place(nil, img, finding.Place{Field: finding.FieldEnv, Words: "HOST"})); diff != "" {
		t.Errorf("ENV (-want +got):\n%s", diff)
	}
	want = finding.Place{Field: finding.FieldUser, Words: "app"}
	if diff := cmp.Diff(want, Place(nil, img, finding.Place{Field: finding.FieldUser, Words: "app"})); diff != "" {
		t.Errorf("USER (-want +got):\n%s", diff)
	}
}

func TestFromHistory(t *testing.T) {
	t.Parallel()
	config := facts.Config{
		Entrypoint: []string{"x"}, Cmd: []string{"y"}, Env: []string{"A=1", "G=hello world"}, User: "u", WorkingDir: "/w",
		Exposed:     ports("70", "8000"),
		Healthcheck: &facts.Healthcheck{Test: []string{"CMD-SHELL", "curl localhost"}, Interval: 60000, Timeout: 2500, Retries: 2},
	}
	tests := []struct {
		name, entry string
		field       finding.Field
		want        string // "": no origin
	}{
		{"classic CMD", `/bin/sh -c #(nop)  CMD ["a" "b \"c\" && \\ é"]`, finding.FieldCmd, `CMD ["a", "b \"c\" && \\ é"]`},
		{"classic CMD after SHELL", `/bin/bash -o pipefail -c #(nop)  CMD ["a"]`, finding.FieldCmd, `CMD ["a"]`},
		{"BuildKit ENTRYPOINT", `ENTRYPOINT ["a"]`, finding.FieldEntrypoint, `ENTRYPOINT ["a"]`},
		{"JSON", `CMD ["a","b"]`, finding.FieldCmd, `CMD ["a", "b"]`},
		{"an old form that is no list", `CMD {[a b]}`, finding.FieldCmd, "CMD {[a b]}"},
		{"EXPOSE, a map", "EXPOSE map[70/tcp:{} 8000/tcp:{} 53/udp:{}]", finding.FieldExpose, "EXPOSE 70 8000 53/udp"},
		{"EXPOSE, a list", "EXPOSE [8000/tcp 70/tcp]", finding.FieldExpose, "EXPOSE 8000 70"},
		{"EXPOSE, classic", "/bin/sh -c #(nop)  EXPOSE 70-72 8000", finding.FieldExpose, "EXPOSE 70-72 8000"},
		{"ENV with a blank", "ENV G=hello world", finding.FieldEnv, `ENV G="hello world"`},
		{"ENV, two", "ENV A=1 B=2", finding.FieldEnv, "ENV A=1 B=2"},
		{"HEALTHCHECK", `HEALTHCHECK &{["CMD-SHELL" "curl localhost"] "1m0s" "2.5s" "0s" '\x02'}`, finding.FieldHealthcheck, "HEALTHCHECK --interval=1m --timeout=2.5s --retries=2 CMD curl localhost"},
		{"USER", "USER u", finding.FieldUser, "USER u"},
		{"WORKDIR", "WORKDIR /w", finding.FieldWorkdir, "WORKDIR /w"},
		{"RUN of a program called cmd", "cmd [x]", finding.FieldCmd, ""},
		{"RUN", "RUN /bin/sh -c CMD # buildkit", finding.FieldCmd, ""},
		{"nothing", "", finding.FieldCmd, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := FromHistory(facts.Image{Config: config, History: []facts.History{{CreatedBy: test.entry}}})
			var want []Origin
			if test.want != "" {
				want = []Origin{{Field: test.field, Text: test.want}}
			}
			if diff := cmp.Diff(want, got[:len(got):len(got)]); diff != "" && len(want)+len(got) > 0 {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := FromHistory(facts.Image{History: []facts.History{{CreatedBy: `CMD ["a"]`}}}); len(got) != 0 {
		t.Errorf("a CMD that the config has no more: %v", got)
	}
}
