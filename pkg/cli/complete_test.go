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

// TestShells loads the completions into the shells, each in a real terminal,
// and presses Tab.
func TestShells(t *testing.T) {
	screen := newTmux(t)
	for shell, c := range map[string]struct{ start, load string }{
		"bash": {"bash --norc --noprofile", "PS1='%% '; source <(imglint completion bash)"},
		"zsh":  {"zsh -f", "PS1='%%%% '; autoload -U compinit; compinit -u -D; source <(imglint completion zsh)"},
		"fish": {"fish --no-config", "function fish_prompt; echo '%% '; end; imglint completion fish | source"},
	} {
		t.Run(shell, func(t *testing.T) {
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("needs %s", shell)
			}
			window := screen.open(t, 100, 40, c.start)
			window.line(strings.ReplaceAll(c.load, "%%", "%"))
			window.line("echo loa''ded")
			window.wait("\nloaded\n")
			for typed, want := range map[string]string{
				"imglint explain loopb":                 "imglint explain loopback-bind",
				"imglint --platform kam":                "imglint --platform kamal",
				"imglint --fail-on=warn":                "imglint --fail-on=warning",
				"imglint hook unin":                     "imglint hook uninstall",
				"imglint --ignore loopback-bind --fail": "imglint --ignore loopback-bind --fail-on",
			} {
				window.keys("-l", typed)
				window.keys("Tab")
				window.wait(want)
				window.keys("C-u")
			}
		})
	}
}

// tmux is a terminal multiplexer of the test's own, where imglint is this program.
type tmux struct {
	dir  string
	next int
}

func newTmux(t *testing.T) *tmux {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux")
	}
	dir, err := os.MkdirTemp("", "imglint-tmux-*")
	if err != nil {
		t.Fatal(err)
	}
	m := &tmux{dir: dir}
	t.Cleanup(func() {
		m.command("kill-server").Run() // fails if no window was opened
		// The shells write their history while they end.
		waitFor(t, "gone", func() string {
			if err := os.RemoveAll(dir); err != nil {
				return err.Error()
			}
			return "gone"
		})
	})
	if err := os.Symlink(os.Args[0], filepath.Join(dir, "imglint")); err != nil {
		t.Skip(err)
	}
	return m
}

func (m *tmux) command(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(m.dir, "socket"), "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), asImglint+"=1", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=", "HOME="+m.dir, "PATH="+m.dir+":"+os.Getenv("PATH"))
	return cmd
}

// window is one terminal.
type window struct {
	*tmux
	t    *testing.T
	name string
}

func (m *tmux) open(t *testing.T, width, height int, command string) window {
	t.Helper()
	m.next++
	w := window{m, t, fmt.Sprintf("w%d", m.next)}
	w.do("new-session", "-d", "-s", w.name, "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command)
	return w
}

func (w window) do(args ...string) string {
	w.t.Helper()
	out, err := w.command(args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (w window) keys(keys ...string) {
	w.t.Helper()
	w.do(append([]string{"send-keys", "-t", w.name}, keys...)...)
}

func (w window) line(text string) {
	w.t.Helper()
	w.keys("-l", text)
	w.keys("Enter")
}

// wait waits for a text and returns the screen, with its colours.
func (w window) wait(text string) string {
	w.t.Helper()
	return waitFor(w.t, text, func() string { return w.do("capture-pane", "-p", "-e", "-S", "-200", "-t", w.name) })
}

// TestTerminal looks at imglint in a real terminal.
func TestTerminal(t *testing.T) {
	screen := newTmux(t)
	for _, width := range []int{50, 100} {
		shown := screen.open(t, width, 70, "imglint explain loopback-bind; echo; echo the end; sleep 60").wait("the end")
		if !strings.Contains(shown, "\x1b[1mloopback-bind") {
			t.Errorf("width %d: the heading is not bold: %.300q", width, shown)
		}
		want := "reports a server that listens on\n"
		if width == 100 {
			want = "reports a server that listens on 127.0.0.1, ::1 or localhost only.\n"
		}
		if !strings.Contains(escapes.ReplaceAllString(shown, ""), want) {
			t.Errorf("width %d: is not set for it:\n%s", width, escapes.ReplaceAllString(shown, ""))
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
