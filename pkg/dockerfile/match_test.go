package dockerfile

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// builds are Dockerfiles whose histories testdata/histories.json records, as
// the classic builder of Docker 20.10 wrote them; -update builds them again.
var builds = []struct{ name, dockerfile string }{
	{"all instructions", `FROM scratch
ARG PORT=8000
LABEL maintainer="a b" x=y
ENV PORT=8000 GREETING="hello world"
ENV OLD style value
COPY hello /hello
ADD hello other /srv/
EXPOSE 8000 9000/udp 70-72
EXPOSE $PORT
USER 1000:1000
WORKDIR /srv
WORKDIR sub
VOLUME /data ["/x"]
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s CMD curl -f http://localhost/
ENTRYPOINT ["/hello"]
CMD ["a", "b c", "\"q\""]
`},
	{"shell forms", `FROM scratch
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY hello /
ENTRYPOINT exec   /hello  $PORT
CMD run \
  # why not
  me
`},
	{"stages", `FROM scratch AS build
LABEL imglint.test=dockerfile
COPY hello /built
FROM scratch AS base
ENV A=1
ONBUILD ENV TRIGGERED=1
EXPOSE 80
FROM base
COPY --from=build /built /built
CMD ["/built"]
`},
	{"lower case and CRLF", "from scratch\r\ncopy hello /hello\r\nexpose 80\r\ncmd [\"/hello\"]\r\n"},
}

func histories(t *testing.T) map[string]facts.Image {
	t.Helper()
	text, err := os.ReadFile("testdata/histories.json")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]facts.Image{}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	return recorded
}

func match(src string, img facts.Image, o Options) (*facts.Dockerfile, error) {
	return Match(context.Background(), "./Dockerfile", []byte(src), img, o)
}

func TestMatchRecordedBuilds(t *testing.T) {
	t.Parallel()
	recorded := histories(t)
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			img, ok := recorded[b.name]
			if !ok {
				t.Fatal("no history is recorded: run go test -update")
			}
			d, err := match(b.dockerfile, img, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Fields[finding.FieldCmd]) != 1 {
				t.Errorf("CMD is set by %v", d.Fields[finding.FieldCmd])
			}
			computed, own := compute(t, b.dockerfile, Options{File: "./Dockerfile"})
			own.BaseUnknown = d.BaseUnknown
			if diff := cmp.Diff(own, d); diff != "" {
				t.Errorf("Compute and Match disagree (-computed +matched):\n%s", diff)
			}
			if diff := cmp.Diff(computed.Config.Argv(), img.Config.Argv()); diff != "" {
				t.Errorf("argv (-computed +built):\n%s", diff)
			}
		})
	}
}

// TestMatchNoticesAnyChange changes one instruction at a time.
func TestMatchNoticesAnyChange(t *testing.T) {
	t.Parallel()
	b, img := builds[0], histories(t)[builds[0].name]
	for old, new := range map[string]string{
		"ARG PORT=8000": "ARG PORTS=8000", "x=y": "x=z", "PORT=8000 GREETING": "PORT=8001 GREETING", "hello world": "hello  moon",
		"OLD style": "NEW style", "COPY hello /hello": "COPY hello /hallo", "/srv/\n": "/srv2/\n", "70-72": "70-73",
		"EXPOSE 8000": "EXPOSE 8001", "1000:1000": "1000:1001", "WORKDIR /srv": "WORKDIR /srv/x", "WORKDIR sub": "WORKDIR sup",
		"SIGQUIT": "SIGINT", `["/hello"]`: `["/hallo"]`, `"b c"`: `"b", "c"`, "FROM scratch\n": "FROM scratch\nENV MORE=1\n", "EXPOSE $PORT\n": "",
	} {
		changed := strings.Replace(b.dockerfile, old, new, 1)
		if changed == b.dockerfile {
			t.Fatalf("%q is not in the Dockerfile", old)
		}
		_, err := match(changed, img, Options{})
		if !IsMismatch(err) {
			t.Errorf("%q for %q: %v, want a mismatch", new, old, err)
		}
	}
}

// TestMatchBuildKit uses BuildKit's forms as they were seen from the one in
// Docker 20.10, from buildkitd 0.25.2 and from 0.34.
func TestMatchBuildKit(t *testing.T) {
	t.Parallel()
	base := []facts.History{{CreatedBy: "/bin/sh -c #(nop) ADD file:1 in / "}, {CreatedBy: "/bin/sh -c #(nop)  CMD [\"bash\"]"}}
	src := "FROM debian\nARG PORT\nENV PATH=/opt/bin:$PATH\nRUN --mount=type=cache,target=/c \\\n  echo hi &&   true\nCOPY --chown=1:1 a b ./\nEXPOSE 8000 9000/udp 70-72\nWORKDIR app\nHEALTHCHECK --interval=5s CMD true\nCMD exec app\n"
	forms := map[string][]string{
		"20.10": {"ARG PORT=80", "ENV PATH=/opt/bin:/usr/bin", "RUN |1 PORT=80 /bin/sh -c echo hi &&   true # buildkit", "COPY a b ./ # buildkit",
			"EXPOSE map[70/tcp:{} 71/tcp:{} 72/tcp:{} 8000/tcp:{} 9000/udp:{}]", "WORKDIR /home/app", `HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" '\x00'}`, `CMD ["/bin/sh" "-c" "exec app"]`},
		"0.25": {"ARG PORT=80", "ENV PATH=/opt/bin:/usr/bin", "RUN |1 PORT=80 /bin/sh -c echo hi &&   true # buildkit", "COPY --chown=1:1 a b ./ # buildkit",
			"EXPOSE [8000/tcp 9000/udp 70/tcp 71/tcp 72/tcp]", "WORKDIR /home/app", `HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" "0s" '\x00'}`, `CMD ["/bin/bash" "-c" "exec app"]`},
		"0.34": {"ARG PORT", "ENV PATH=/opt/bin:/usr/bin", "RUN |1 PORT= /bin/sh -c echo hi &&   true # buildkit", "COPY --chown=1:1 a b ./ # buildkit",
			"EXPOSE [8000/tcp 9000/udp 70/tcp 71/tcp 72/tcp]", "WORKDIR /app", `HEALTHCHECK {Test:[CMD-SHELL true] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}`, `CMD ["/bin/sh" "-c" "exec app"]`},
		"classic with labels": {"/bin/sh -c #(nop)  ARG PORT=80", "/bin/sh -c #(nop)  ENV PATH=/opt/bin:/usr/bin", "|1 PORT=80 /bin/sh -c echo hi &&   true", "/bin/sh -c #(nop) COPY --chown=1:1 multi:0 in ./ ",
			"/bin/sh -c #(nop)  EXPOSE 70-72 8000 9000/udp", "/bin/sh -c #(nop) WORKDIR /app", `/bin/sh -c #(nop)  HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" '\x00'}`, `/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "exec app"]`, "/bin/sh -c #(nop)  LABEL built=today"},
	}
	for name, entries := range forms {
		img := facts.Image{History: base, Config: facts.Config{User: "app", Cmd: []string{"x"}}}
		for _, e := range entries {
			img.History = append(img.History, facts.History{CreatedBy: e})
		}
		if _, err := match(src, img, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		img.History[len(base)+2].CreatedBy = strings.Replace(img.History[len(base)+2].CreatedBy, "echo hi", "echo ho", 1)
		_, err := match(src, img, Options{})
		var mismatch *MismatchError
		if !errors.As(err, &mismatch) || mismatch.Step != 4 || mismatch.Line != 4 {
			t.Errorf("%s with another RUN: %v, want step 4 of line 4 to differ", name, err)
		}
	}
}

func TestMatchTargets(t *testing.T) {
	t.Parallel()
	src := "FROM a AS prod\nEXPOSE 80\nCMD [\"prod\"]\nFROM prod AS test\nCMD [\"test\"]\n"
	img := facts.Image{History: []facts.History{{CreatedBy: "EXPOSE [80/tcp]"}, {CreatedBy: `CMD ["prod"]`}}}
	d, err := match(src, img, Options{})
	if err != nil || d.Target != "prod" || d.End != 3 {
		t.Errorf("an earlier stage: %+v, %v", d, err)
	}
	if _, err := match(src, img, Options{Target: "test"}); !IsMismatch(err) {
		t.Errorf("a target that was not built: %v", err)
	}
}

func TestMismatchSaysWhy(t *testing.T) {
	t.Parallel()
	history := func(texts ...string) (img facts.Image) {
		for _, text := range texts {
			img.History = append(img.History, facts.History{CreatedBy: text})
		}
		return img
	}
	tests := []struct {
		name, src string
		img       facts.Image
		want      string
	}{
		{"another CMD", "FROM a\nEXPOSE 80\nCMD [\"x\"]\n", history("EXPOSE [80/tcp]", `CMD ["y"]`),
			`this image was not built from ./Dockerfile: step 3 differs (line 3: CMD ["x"]; the image has: CMD ["y"])`},
		{"the image is older", "FROM a\nEXPOSE 80\nCMD [\"x\"]\n", history(`CMD ["x"]`),
			"this image was not built from ./Dockerfile: step 2 is not in its history (line 2: EXPOSE 80)"},
		{"more than scratch", "FROM scratch\nCMD [\"x\"]\n", history("EXPOSE [80/tcp]", `CMD ["x"]`), "1 more steps"},
		{"docker import", "FROM a\nCMD [\"x\"]\n", history(""), "no build history"},
		{"only FROM", "FROM a\n", history(`CMD ["x"]`), "no instruction after FROM"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := match(test.src, test.img, Options{}); err == nil || !strings.Contains(err.Error(), test.want) || !IsMismatch(err) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
