package launch

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/pkg/facts"
)

// TestExpansionAgainstShells asks real shells about the words that Follow
// computes; every word that it calls known must be the shell's.
func TestExpansionAgainstShells(t *testing.T) {
	t.Parallel()
	scripts := []string{
		`x $A "$A" '$A' \$A ${A} "${A}b"`, `x a$B "$B" b$B`, `x ${U:-d e} "${U:-d e}" ${U-} ${U+y} ${A:+"y z"}`, `x ${E-a} ${E:-b} "${E:-}"`,
		`x $SP "$SP" a${SP}b a"$SP"b`, `x $PAD a${PAD}b $PAD$PAD`, `x "a\"b" 'a\b' a\ b "a\$b" "a\b"`, `x "$@" "a$*b" $# $1 "$2"`, `x "$@"b a"$@"`, `x $@`, `x ${1#f} ${2%o} "${A#v}"`,
		`B=1; C=$B$B; x $C ${D:=7} $D`, `x ""`, `x $U "" ''`, `f() { x f "$@" $#; }; f 1 "2 3"`, `set -- q "r s"; x "$@" $2`, `shift; x "$@"`,
		`case $A in v*) x one;; *) x two;; esac`, `case "$A" in "v*") x one;; v?l) x three;; esac`, `if [ "$A" = val ]; then x yes; else x no; fi`, `if [ -z "$U" -a -n "$A" ]; then x yes; fi; x after`,
		`[ "$A" != val ] || x yes`, `[ "${1#-}" = "$1" ] && x plain`, `A=2 x $A`, "x a \\\n b", "x a # comment", `x a#b`, `x ${A:+} "${A:+}" z`, `x a"b"'c'd`,
		`export P=3; x $P`, `if [ 3 -gt 2 ] && ! [ "$A" ]; then x yes; else x no; fi`, `unset A; x ${A:-gone}`, `x $'a' 2>&1`, `true && x a`, `x "$0"`, `{ x a; }`, `(x a)`,
	}
	env := []string{"A=val", "B=", "E=", "SP=1  2", "PAD= p "}
	for _, name := range []string{"dash", "bash"} {
		shell, err := exec.LookPath(name)
		if err != nil {
			t.Logf("%s is not here to be asked", name)
			continue
		}
		for _, script := range scripts {
			if name == "dash" && strings.Contains(script, "$'") {
				continue
			}
			l := Follow(facts.Config{Cmd: []string{shell, "-c", script, "zero", "foo", "two o"}, Env: env, WorkingDir: "/"}, nil, nil)
			compare(t, name, script, ask(t, shell, script, env), l)
		}
	}
}

// ask runs the script with a program x that prints its words and ends the shell.
func ask(t *testing.T, shell, script string, env []string) []string {
	t.Helper()
	dir := t.TempDir()
	program := "#!/bin/sh\nfor w in x \"$@\"; do printf '%s\\0' \"$w\"; done\n"
	if err := os.WriteFile(dir+"/x", []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), shell, "-c", script, "zero", "foo", "two o")
	cmd.Env, cmd.Dir, cmd.Stdout = append([]string{"PATH=" + dir + ":/usr/bin:/bin"}, env...), "/", &out
	_ = cmd.Run() // the status is the script's own
	var last []string
	for _, w := range strings.Split(strings.TrimSuffix(out.String(), "\x00"), "\x00") {
		if w == "x" {
			last = nil
		}
		last = append(last, w)
	}
	return last
}

func compare(t *testing.T, name, script string, want []string, l facts.Launch) {
	t.Helper()
	if l.Known != facts.Yes {
		t.Errorf("%s: %s: not followed: %s", name, script, l.Why)
		return
	}
	for _, w := range l.Command.Argv {
		if !w.Known {
			t.Logf("%s: %s: %s is not known", name, script, w.Text)
			return
		}
	}
	if diff := cmp.Diff(want, l.Command.Words()); diff != "" {
		t.Errorf("%s: %s: -shell +followed\n%s", name, script, diff)
	}
}

func FuzzFollow(f *testing.F) {
	for _, script := range []string{`exec gunicorn "$@"`, `a & b & wait -n`, `case $A in a) b;; esac`, "x ${A:-`b`} $((1+2))", "set -- a; shift 5; \"$@\"", "f() { f; }; f"} {
		f.Add(script, "/bin/sh", "-c")
	}
	f.Add("tini -g --", "tini", "-p")
	f.Fuzz(func(t *testing.T, script, shell, option string) {
		for _, cmd := range [][]string{{shell, option, script, "a"}, append([]string{shell, option}, strings.Fields(script)...)} {
			cfg := facts.Config{Cmd: cmd, WorkingDir: "/app"}
			l := Follow(cfg, []string{"A=b c"}, image(map[string]string{"ep.sh": "#!/bin/sh\n" + script}))
			if words := l.Command.Words(); len(words) > 1 {
				Rewrite(cfg, l, facts.Remedy{Argv: append([]string{words[0], "--new", "a b"}, words[1:]...)})
				Rewrite(cfg, l, facts.Remedy{Argv: words[:len(words)-1]})
			}
		}
	})
}
