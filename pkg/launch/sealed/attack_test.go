package sealed_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/launch/sealed"
)

// attacks are scripts that want time, memory or the host.
var attacks = map[string]string{
	"endless loop":         "while :; do :; done",
	"endless without call": "while true; do x=$x; done",
	"arithmetic loop":      "for ((;;)); do ((i++)); done",
	"arithmetic condition": "i=0; while ((i < 1000000000)); do i=$((i+1)); done; exec x",
	"recursion":            "f() { f; }; f",
	"mutual recursion":     "f() { g; }; g() { f \"$@\" x; }; f",
	"background loops":     strings.Repeat("while :; do :; done &\n", 50) + "wait",
	"doubling":             "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done",
	"doubling arguments":   "set -- a b; while :; do set -- \"$@\" \"$@\"; done",
	"wide printf":          "printf '%300000000s' x > /f; exec x \"$(printf '%0300000000d' 1)\"",
	"braces":               "exec x {1..5000000}",
	"nested braces":        "exec x {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
	"pattern bomb":         "shopt -s extglob; [[ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa == +(+(+(a)))b ]]; case $(printf '%050000d' 0) in *0*0*0*0*0*0*1) ;; esac; exec x",
	"expression bomb":      "[[ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa =~ ^(a+)+$ ]]; exec x",
	"many decisions":       strings.Repeat("if curl x; then a=1$a; fi\n", 40) + "exec x $a",
	"reads input":          "read x; cat; exec y $x",
	"pipes":                strings.Repeat("yes | ", 300) + "cat",
	"pipe that waits":      "while :; do echo x; done | while :; do :; done",
	"includes itself":      ". \"$0\"",
	"eval deep":            "f() { eval \"eval 'eval f'\"; }; f",
	"deep nesting":         strings.Repeat("( ", 3000) + "x" + strings.Repeat(" )", 3000),
	"deep substitution":    "exec x " + strings.Repeat("$(echo ", 500) + "y" + strings.Repeat(")", 500),
	"writes for ever":      "while :; do printf '%01000d' 1 >> /f; done",
	"here-document":        "cat > /f <<X\n" + strings.Repeat("$(cat /f)", 3000) + "\nX\n",
	"array":                "a[1000000000]=x; exec y \"${a[@]}\"",
	"trap":                 "trap 'while :; do :; done' EXIT; exit 0",
	"signal":               "kill -9 $$; kill -9 -1; exec x",
}

// hostile are scripts that ask for what is outside of the image.
const hostile = `cat /etc/shadow /proc/self/environ > /tmp/imglint-was-here
echo x > /tmp/imglint-was-here; mkdir /tmp/imglint-was-here.d; touch /tmp/imglint-was-here
type ls; command -v ls; hash ls; . /etc/profile; source profile; cd ~daemon; cd ~root/x; pwd -P; cd -P /tmp; pwd -P
for f in /etc/* /proc/* ~nobody/*; do echo "$f"; done; x=~daemon; y=${z:-~daemon/x}
read a < /etc/passwd; mapfile b < /etc/passwd; diff <(cat /etc/passwd) >(cat); [ -f /etc/passwd ] && [[ -x /bin/sh ]]
echo $$ $PPID $UID $EUID $HOME $HOSTNAME $RANDOM; eval 'cat <(ls) ~daemon $$'; eval 'for i in 1; do cat <(ls) ~daemon; done'
/bin/sh -c 'touch /tmp/imglint-was-here'; exec 3<>/dev/tcp/127.0.0.1/80; umask 0; ulimit -n 9; trap 'ls ~daemon' EXIT
exec server "$a" "${b[@]}"`

func child(t *testing.T) sealed.Child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	return sealed.Child{Program: program}
}

// TestAttacks: whatever a script does, an answer or an error comes in time.
func TestAttacks(t *testing.T) {
	t.Parallel()
	interpreter := child(t)
	for name, text := range attacks {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			script := launch.Script{Name: "/ep.sh", Text: text, Dir: "/", Env: []string{"PATH=/bin"}}
			ways, err := interpreter.Interpret(script, fstest.MapFS{"ep.sh": {Data: []byte(text)}, "bin/yes": {Mode: 0o755}, "bin/curl": {Mode: 0o755}})
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("took %s", took)
			}
			if err == nil && len(ways.Ways) == 0 {
				t.Error("neither a way nor an error")
			}
			t.Logf("%s: %d ways, more %v, %v", time.Since(began).Round(time.Millisecond), len(ways.Ways), ways.More, err)
		})
	}
}

// TestHost: nothing of this machine is read, written or told.
func TestHost(t *testing.T) {
	t.Parallel()
	ways, err := child(t).Interpret(launch.Script{Name: "/ep.sh", Text: hostile, Dir: "/"}, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ways.Ways {
		if w.Command == nil {
			continue
		}
		for _, word := range w.Command.Argv[1:] {
			if word.Known && word.Text != "" {
				t.Errorf("the script learned %q", word.Text)
			}
		}
	}
	if matches, _ := os.ReadDir("/tmp"); true {
		for _, m := range matches {
			if strings.HasPrefix(m.Name(), "imglint-was-here") {
				t.Errorf("/tmp/%s was written", m.Name())
			}
		}
	}
}
