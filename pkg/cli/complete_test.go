package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/rules"
)

// TestCommandNames keeps the list for did-you-mean equal to the commands.
func TestCommandNames(t *testing.T) {
	t.Parallel()
	root := newRoot(IO{Getenv: func(string) string { return "" }})
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(commandNames, names); diff != "" {
		t.Errorf("(-list +commands):\n%s", diff)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		want  []string
	}{
		"platform": {"--platform a", []string{"aptible", "azure-app-service"}},
		"rule":     {"--ignore loop", []string{"loopback-bind"}},
		"explain":  {"explain loop", []string{"loopback-bind"}},
		"format":   {"--format s", []string{"sarif"}},
		"fail-on":  {"--fail-on w", []string{"warning"}},
		"flag":     {"--fail", []string{"--fail-on"}},
		"command":  {"hook in", []string{"install"}},
		"config":   {"config --platform fl", []string{"fly"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, out, _ := call(t, nil, append([]string{"__complete"}, strings.Split(c.words, " ")...)...)
			for _, want := range c.want {
				if status != ExitClean || !strings.Contains("\n"+out, "\n"+want) {
					t.Errorf("%s: no %s in %q", c.words, want, out)
				}
			}
		})
	}
}

// TestCompleteImages asks a docker command of ours for images.
func TestCompleteImages(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$*\" = 'image ls --format {{.Repository}}:{{.Tag}}' ] || exit 9\nprintf 'shop:2\\nshop:1\\n<none>:<none>\\nother:1\\nshop:1\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	_, out, _ := call(t, nil, "__complete", "sh")
	got := strings.Split(out, "\n")
	if diff := cmp.Diff([]string{"shop:1", "shop:2", ":0", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestShells loads the completions into the shells and presses Tab where the
// shell lets a program do that.
func TestShells(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "imglint")); err != nil {
		t.Skip(err)
	}
	for shell, script := range map[string]string{
		"bash": `source "$1"; COMP_WORDS=(imglint explain loopb); COMP_CWORD=2; COMP_LINE="imglint explain loopb"; COMP_POINT=${#COMP_LINE}
			_get_comp_words_by_ref() { cur=loopb; prev=explain; words=("${COMP_WORDS[@]}"); cword=2; }
			__start_imglint; printf '%s\n' "${COMPREPLY[@]}"`,
		"zsh":  `autoload -U compinit && compinit -u -D; source "$1"; (( $+functions[_imglint] )) && imglint __complete explain loopb`,
		"fish": `source $argv[1]; complete --do-complete 'imglint explain loopb'`,
	} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("needs %s", shell)
			}
			status, completion, errs := call(t, nil, "completion", shell)
			if status != ExitClean {
				t.Fatalf("completion %s: %s", shell, errs)
			}
			file := filepath.Join(dir, shell)
			if err := os.WriteFile(file, []byte(completion), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-c", script, shell, file}
			if shell == "fish" {
				args = []string{"-c", script, file}
			}
			cmd := exec.Command(shell, args...)
			cmd.Env = append(os.Environ(), asImglint+"=1", "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "loopback-bind") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestTerminal looks at imglint in a real terminal.
func TestTerminal(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "tmux")
	tmux := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-S", socket, "-f", "/dev/null"}, args...)...)
		cmd.Env = append(os.Environ(), asImglint+"=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for _, width := range []int{50, 100} {
		name := fmt.Sprintf("w%d", width)
		tmux("new-session", "-d", "-s", name, "-x", fmt.Sprint(width), "-y", "70",
			fmt.Sprintf("'%s' explain loopback-bind; echo; echo the end; sleep 60", os.Args[0]))
		defer exec.Command("tmux", "-S", socket, "kill-session", "-t", name).Run()
		screen := waitFor(t, "the end", func() string { return tmux("capture-pane", "-p", "-e", "-S", "-200", "-t", name) })
		if !strings.Contains(screen, "\x1b[1mloopback-bind") {
			t.Errorf("width %d: the heading is not bold: %.300q", width, screen)
		}
		want := "reports a server that listens on\n"
		if width == 100 {
			want = "reports a server that listens on 127.0.0.1, ::1 or localhost only.\n"
		}
		if !strings.Contains(escapes.ReplaceAllString(screen, ""), want) {
			t.Errorf("width %d: is not set for it:\n%s", width, escapes.ReplaceAllString(screen, ""))
		}
	}
}

// waitFor asks until the answer contains a text.
func waitFor(t *testing.T, text string, ask func() string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer := ask()
		if strings.Contains(answer, text) {
			return answer
		}
		select {
		case <-deadline:
			t.Fatalf("no %q in:\n%s", text, answer)
		case <-tick.C:
		}
	}
}

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	_, _, errs := call(t, nil, "--host", noEngine, "127.0.0.1:1/x", "expalin")
	if !strings.Contains(errs, "expalin was taken for an image; did you mean imglint explain?") {
		t.Errorf("said %q", errs)
	}
	status, _, errs := call(t, nil, "hook", "instal")
	if status != ExitUsage || !strings.Contains(errs, "did you mean install?") {
		t.Errorf("exit status %d, said %q", status, errs)
	}
}

func TestRulesJSON(t *testing.T) {
	t.Parallel()
	_, out, _ := call(t, nil, "rules", "-o", "json")
	var got []ruleEntry
	decoder := json.NewDecoder(bytes.NewReader([]byte(out)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || len(got) != len(rules.All) {
		t.Fatalf("%d rules: %v", len(got), err)
	}
	for i, r := range rules.All {
		if got[i].ID != r.ID || got[i].Title != r.Title || got[i].Page == "" || got[i].Severity != r.Severity {
			t.Errorf("rule %d is %+v", i, got[i])
		}
	}
	if status, _, errs := call(t, nil, "rules", "-o", "xml"); status != ExitUsage || !strings.Contains(errs, "use text or json") {
		t.Errorf("exit status %d, said %q", status, errs)
	}
}
