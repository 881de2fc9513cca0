package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// console are the blocks of the docs that show commands and what they print:
// lines that begin with "$ " are run, one after the other in one folder, and
// what stands below has to be what they print; "…" is any further lines.
var console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

func TestDocs(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "git", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s", program)
		}
	}
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range console.FindAllStringSubmatch(string(text), -1) {
			blocks++
			runConsole(t, filepath.Base(name), m[1])
		}
	}
	if blocks == 0 {
		t.Error("the docs show no command")
	}
}

// runConsole runs a block in a folder with a Dockerfile that fails.
func runConsole(t *testing.T, name, block string) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY server /server\nCMD [\"/server\"]\n", "server": "x"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "imglint")); err != nil {
		t.Skip(err)
	}
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		cmd := exec.Command("bash", "-o", "pipefail", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asImglint+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir, "GITHUB_ACTIONS=")
		out, _ := cmd.CombinedOutput() // an exit status that matters is printed by the example
		want = strings.TrimRight(want, "\n")
		begin, open := strings.CutSuffix(want, "\n…")
		got := strings.TrimRight(string(out), "\n")
		if open && !strings.HasPrefix(got, begin) || !open && got != want {
			t.Errorf("%s: $ %s\nprints:\n%s\nshown:\n%s", name, command, got, want)
		}
	}
}
