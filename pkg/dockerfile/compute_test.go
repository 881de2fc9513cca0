package dockerfile

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

func compute(t *testing.T, src string, o Options) (facts.Image, *facts.Dockerfile) {
	t.Helper()
	img, d, err := Compute(context.Background(), []byte(src), o)
	if err != nil {
		t.Fatal(err)
	}
	return img, d
}

func ports(texts ...string) []facts.Port {
	var all []facts.Port
	for _, text := range texts {
		p, err := facts.ParsePort(text)
		if err != nil {
			panic(err)
		}
		all = append(all, p)
	}
	return all
}

func TestCompute(t *testing.T) {
	t.Parallel()
	nginx := func(_ context.Context, ref string) (facts.Image, error) {
		if ref != "docker.io/library/nginx:1.27" {
			return facts.Image{}, errors.New("not found")
		}
		return facts.Image{OS: "linux", Architecture: "arm64", Config: facts.Config{
			Entrypoint: []string{"/docker-entrypoint.sh"}, Cmd: []string{"nginx", "-g", "daemon off;"},
			Env: []string{"PATH=/bin", "NGINX_VERSION=1.27"}, Exposed: ports("80"), StopSignal: "SIGQUIT",
			OnBuild: []string{"ENV TRIGGERED=yes"},
		}, History: []facts.History{{CreatedBy: "ENV NGINX_VERSION=1.27"}}}, nil
	}
	tests := []struct {
		name, src string
		o         Options
		want      facts.Config
		base      string
		unknown   bool
	}{
		{"own fields of an unknown base", "FROM python:3\nENV A=1\nEXPOSE 8000 9000/udp\nUSER app\nWORKDIR /srv\nWORKDIR sub\nENTRYPOINT [\"tini\"]\nCMD [\"app\"]\n", Options{},
			facts.Config{Env: []string{"A=1"}, Exposed: ports("8000", "9000/udp"), User: "app", WorkingDir: "/srv/sub", Entrypoint: []string{"tini"}, Cmd: []string{"app"}}, "python:3", true},
		{"a known base is inherited and its triggers run", "FROM nginx:1.27\nCOPY . /srv\n", Options{Base: nginx},
			facts.Config{Entrypoint: []string{"/docker-entrypoint.sh"}, Cmd: []string{"nginx", "-g", "daemon off;"}, Env: []string{"PATH=/bin", "NGINX_VERSION=1.27", "TRIGGERED=yes"}, Exposed: ports("80"), StopSignal: "SIGQUIT"}, "nginx:1.27", false},
		{"ENTRYPOINT resets an inherited CMD", "FROM nginx:1.27\nENTRYPOINT [\"x\"]\n", Options{Base: nginx},
			facts.Config{Entrypoint: []string{"x"}, Env: []string{"PATH=/bin", "NGINX_VERSION=1.27", "TRIGGERED=yes"}, Exposed: ports("80"), StopSignal: "SIGQUIT"}, "nginx:1.27", false},
		{"a stage from a stage, an argument in FROM", "ARG V=3.11\nFROM python:${V} AS base\nEXPOSE 8000\nFROM base\nCMD [\"x\"]\n", Options{BuildArgs: map[string]string{"V": "3.12"}},
			facts.Config{Exposed: ports("8000"), Cmd: []string{"x"}}, "python:3.12", true},
		{"a target", "FROM a AS one\nCMD [\"1\"]\nFROM b AS two\nCMD [\"2\"]\n", Options{Target: "one"},
			facts.Config{Cmd: []string{"1"}}, "a", true},
		{"an unset variable exposes nothing", "FROM a\nEXPOSE $PORT\n", Options{}, facts.Config{}, "a", true},
		{"scratch, CRLF and a heredoc", "FROM scratch\r\nCOPY <<EOF /x\r\nhi\r\nEOF\r\nCMD [\"/x\"]\r\n", Options{},
			facts.Config{Env: []string{defaultPath}, WorkingDir: "/", Cmd: []string{"/x"}}, "scratch", false},
		{"a missing COPY --from image", "FROM a\nCOPY --from=ghcr.io/nobody/nothing /x /x\nCMD [\"/x\"]\n", Options{Base: nginx}, facts.Config{Cmd: []string{"/x"}}, "a", true},
		{"SHELL", "FROM a\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nCMD run me\n", Options{},
			facts.Config{Shell: []string{"/bin/bash", "-o", "pipefail", "-c"}, Cmd: []string{"/bin/bash", "-o", "pipefail", "-c", "run me"}}, "a", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			img, d := compute(t, test.src, test.o)
			if diff := cmp.Diff(test.want, img.Config, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			if d.Base != test.base || d.BaseUnknown != test.unknown {
				t.Errorf("base %q unknown %v, want %q %v", d.Base, d.BaseUnknown, test.base, test.unknown)
			}
		})
	}
}

func TestComputeFields(t *testing.T) {
	t.Parallel()
	src := "FROM a AS base\nEXPOSE 80\nCMD [\"old\"]\nFROM base AS final\nENV A=1 \\\n  # inside\n  B=2\nENTRYPOINT [\"x\"]\nEXPOSE 443\n\n# the end\n"
	_, d := compute(t, src, Options{File: "Dockerfile"})
	want := map[finding.Field][]facts.Instruction{
		finding.FieldFrom:       {{Line: 1, EndLine: 1, Text: "FROM a AS base"}},
		finding.FieldExpose:     {{Line: 2, EndLine: 2, Text: "EXPOSE 80"}, {Line: 9, EndLine: 9, Text: "EXPOSE 443"}},
		finding.FieldEnv:        {{Line: 5, EndLine: 7, Text: "ENV A=1 \\\n  # inside\n  B=2"}},
		finding.FieldEntrypoint: {{Line: 8, EndLine: 8, Text: `ENTRYPOINT ["x"]`}},
	}
	if diff := cmp.Diff(want, d.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if d.End != 9 {
		t.Errorf("end = %d, want 9", d.End)
	}
}

func TestComputeRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		src, want string
		o         Options
	}{
		"nothing":                {"", "no instructions", Options{}},
		"no FROM":                {"ARG A\n", "no FROM", Options{}},
		"an unknown instruction": {"FROM a\nFLY away\n", "unknown instruction", Options{}},
		"no such target":         {"FROM a AS one\n", `no stage "two"`, Options{Target: "two"}},
	} {
		_, _, err := Compute(context.Background(), []byte(test.src), test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
}
