package dockerfile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

var edits = []struct {
	name, src   string
	field       finding.Field
	instruction string
	want        string // "": the edit is refused
}{
	{"replace CMD", "FROM a\nCMD [\"gunicorn\", \"app\"]\n", finding.FieldCmd, `CMD ["gunicorn", "--bind", "0.0.0.0:8000", "app"]`,
		"FROM a\nCMD [\"gunicorn\", \"--bind\", \"0.0.0.0:8000\", \"app\"]\n"},
	{"only the last CMD counts", "FROM a\nCMD [\"old\"]\nCMD [\"x\"]\n", finding.FieldCmd, `CMD ["y"]`, "FROM a\nCMD [\"old\"]\nCMD [\"y\"]\n"},
	{"a continued CMD with a comment inside", "FROM a\n\n# start it\nCMD x \\\n  # why\n  y\nEXPOSE 80\n", finding.FieldCmd, `CMD ["x"]`, "FROM a\n\n# start it\nCMD [\"x\"]\nEXPOSE 80\n"},
	{"EXPOSE goes above the comment of CMD", "FROM a\nRUN x\n\n# start it\n# really\nCMD [\"x\"]\n", finding.FieldExpose, "EXPOSE 8000", "FROM a\nRUN x\n\nEXPOSE 8000\n# start it\n# really\nCMD [\"x\"]\n"},
	{"EXPOSE goes above ENTRYPOINT", "FROM a\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\n", finding.FieldExpose, "EXPOSE 8000", "FROM a\nEXPOSE 8000\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\n"},
	{"EXPOSE at the end where nothing starts", "FROM a\nRUN x\n\n# bye\n", finding.FieldExpose, "EXPOSE 8000", "FROM a\nRUN x\nEXPOSE 8000\n\n# bye\n"},
	{"the new EXPOSE is the whole set", "FROM a\nEXPOSE 80\nRUN x\nEXPOSE 443\nCMD [\"x\"]\n", finding.FieldExpose, "EXPOSE 8000", "FROM a\nRUN x\nEXPOSE 8000\nCMD [\"x\"]\n"},
	{"CRLF and lower case", "from a\r\nexpose 80\r\ncmd [\"x\"]\r\n", finding.FieldExpose, "EXPOSE 8000", "from a\r\nexpose 8000\r\ncmd [\"x\"]\r\n"},
	{"CRLF, added", "from a\r\ncmd [\"x\"]\r\n", finding.FieldExpose, "EXPOSE 8000", "from a\r\nexpose 8000\r\ncmd [\"x\"]\r\n"},
	{"no final line feed", "FROM a\nCMD [\"x\"]", finding.FieldCmd, `CMD ["y"]`, "FROM a\nCMD [\"y\"]"},
	{"no final line feed, added", "FROM a\nRUN x", finding.FieldCmd, `CMD ["y"]`, "FROM a\nRUN x\nCMD [\"y\"]"},
	{"an inherited CMD is added", "FROM nginx\nCOPY . /x\n", finding.FieldCmd, `CMD ["nginx", "-g", "daemon off;"]`, "FROM nginx\nCOPY . /x\nCMD [\"nginx\", \"-g\", \"daemon off;\"]\n"},
	{"indent stays", "FROM a\n  CMD [\"x\"]\n", finding.FieldCmd, `CMD ["y"]`, "FROM a\n  CMD [\"y\"]\n"},
	{"a heredoc in another stage", "FROM a AS one\nRUN <<EOF\nCMD [\"x\"]\nEOF\nFROM b\nCMD [\"x\"]\n", finding.FieldCmd, `CMD ["y"]`, "FROM a AS one\nRUN <<EOF\nCMD [\"x\"]\nEOF\nFROM b\nCMD [\"y\"]\n"},
	{"ENV of that variable alone", "FROM a\nENV HOST=127.0.0.1\nENV A=1 B=2\nCMD [\"x\"]\n", finding.FieldEnv, "ENV HOST=0.0.0.0", "FROM a\nENV HOST=0.0.0.0\nENV A=1 B=2\nCMD [\"x\"]\n"},
	{"ENV that sets others too is overridden", "FROM a\nENV A=1 HOST=127.0.0.1\nCMD [\"x\"]\n", finding.FieldEnv, "ENV HOST=0.0.0.0", "FROM a\nENV A=1 HOST=127.0.0.1\nENV HOST=0.0.0.0\nCMD [\"x\"]\n"},
	{"an earlier stage's CMD", "FROM a AS base\nCMD [\"x\"]\nFROM base\nRUN y\n", finding.FieldCmd, `CMD ["z"]`, "FROM a AS base\nCMD [\"z\"]\nFROM base\nRUN y\n"},
	{"EXPOSE with a stage below it", "FROM a AS base\nCMD [\"x\"]\nFROM base\n", finding.FieldExpose, "EXPOSE 80", "FROM a AS base\nEXPOSE 80\nCMD [\"x\"]\nFROM base\n"},
	{"HEALTHCHECK", "FROM a\nHEALTHCHECK CMD curl localhost\nCMD [\"x\"]\n", finding.FieldHealthcheck, "HEALTHCHECK NONE", "FROM a\nHEALTHCHECK NONE\nCMD [\"x\"]\n"},
	{"ENTRYPOINT would reset an earlier stage's CMD", "FROM a AS base\nCMD [\"x\"]\nFROM base\nRUN y\n", finding.FieldEntrypoint, `ENTRYPOINT ["e"]`, ""},
	{"a variable that EXPOSE uses", "FROM a\nENV PORT=80\nEXPOSE $PORT\n", finding.FieldEnv, "ENV PORT=8000", ""},
	{"nothing changes", "FROM a\nCMD [\"x\"]\n", finding.FieldCmd, `CMD [ "x" ]`, ""},
	{"another instruction than the field's", "FROM a\nCMD [\"x\"]\n", finding.FieldCmd, "USER root", ""},
	{"two instructions", "FROM a\nCMD [\"x\"]\n", finding.FieldCmd, "CMD [\"y\"]\nUSER root", ""},
	{"FROM", "FROM a\nCMD [\"x\"]\n", finding.FieldFrom, "FROM b", ""},
	{"a trigger", "FROM a AS base\nONBUILD CMD [\"x\"]\nFROM base\nRUN y\n", finding.FieldCmd, `CMD ["z"]`, ""},
}

func TestEdit(t *testing.T) {
	t.Parallel()
	for _, test := range edits {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Edit([]byte(test.src), &facts.Dockerfile{File: "Dockerfile"}, test.field, test.instruction)
			if (err != nil) != (test.want == "") {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, err := Edit([]byte("FROM a AS base\nCMD [\"x\"]\nFROM base\nRUN y\n"), &facts.Dockerfile{}, finding.FieldEntrypoint, `ENTRYPOINT ["e"]`)
	if !errors.Is(err, ErrNotProved) {
		t.Errorf("%v is not ErrNotProved", err)
	}
}

func TestEditsFollowOneAnother(t *testing.T) {
	t.Parallel()
	src := []byte("ARG BASE\nFROM $BASE AS app\nCMD [\"x\"]\nFROM app AS test\nRUN y\n")
	d := &facts.Dockerfile{File: "Dockerfile", Target: "app", BuildArgs: map[string]string{"BASE": "a"}}
	one, err := Edit(src, d, finding.FieldExpose, "EXPOSE 80")
	if err != nil {
		t.Fatal(err)
	}
	two, err := Edit(one, d, finding.FieldCmd, `CMD ["y"]`)
	if err != nil {
		t.Fatal(err)
	}
	want := "ARG BASE\nFROM $BASE AS app\nEXPOSE 80\nCMD [\"y\"]\nFROM app AS test\nRUN y\n"
	if diff := cmp.Diff(want, string(two)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDiffApplies has git apply every diff.
func TestDiffApplies(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	for _, test := range edits {
		if test.want == "" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "app", "Dockerfile"), test.src)
			write(t, filepath.Join(dir, "fix.diff"), Diff("./app/Dockerfile", []byte(test.src), []byte(test.want)))
			c := exec.Command(git, "apply", "fix.diff")
			c.Dir = dir
			c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_GLOBAL="+os.DevNull)
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got, err := os.ReadFile(filepath.Join(dir, "app", "Dockerfile"))
			if err != nil || string(got) != test.want {
				t.Errorf("%v\n%s", err, cmp.Diff(test.want, string(got)))
			}
		})
	}
	if diff := Diff("Dockerfile", []byte("FROM a\n"), []byte("FROM a\n")); diff != "" {
		t.Errorf("no change gives %q", diff)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
