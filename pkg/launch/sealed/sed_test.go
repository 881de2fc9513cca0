package sealed

import (
	"os/exec"
	"strings"
	"testing"
)

// TestSedAgainstSed asks the real sed about every script that the machine
// claims to know.
func TestSedAgainstSed(t *testing.T) {
	t.Parallel()
	sed, err := exec.LookPath("sed")
	if err != nil {
		t.Skip(err)
	}
	text := "listen 80;\nlisten $PORT;\n  server_name a.b/c; # 80 80\n#Listen [::]:80 (x) {y} a+b?\n\nend"
	known := 0
	for _, args := range [][]string{
		{"s/80/8080/"}, {"s/80/8080/g"}, {"s|80|a/b|g"}, {"-e", "s/$PORT/9/g", "-e", "s/a.b/&&/"}, {"-E", "s/(listen) ([0-9]+)/\\1:\\2/"},
		{"s/\\(listen\\) \\([0-9]*\\)/\\2 \\1/"}, {"s/^/> /"}, {"s/;$/!/"}, {"s/a+b?/X/"}, {"-r", "s/a\\+b\\?/X/"}, {"s/(x) {y}/Z/"}, {"s/[0-9][0-9]*/N/g"},
		{"s,/,\\,,g"}, {"s/\\[::\\]:80/Y/; s/end/E/"}, {"s/e/\\n/"}, {"-E", "s/^#(Listen)/\\1/"}, {"s/*/S/"}, {"s/x*/-/g"}, {"s/80/\\&/"}, {"s#a\\.b#D#"},
		{"s/LISTEN/x/I"}, {"2d"}, {"/x/s/80/1/"}, {"-n", "p"}, {"s/a/\\U&/"}, {"s/[^ ]*$/L/"}, {"s/[]x]/q/g"}, {"-E", "s/a|b/P/g"}, {"s/a\\|b/P/g"}, {"s/\\./D/g"},
	} {
		s, ok := parseSed(append([]string{"sed"}, args...))
		if !ok {
			continue
		}
		known++
		cmd := exec.CommandContext(t.Context(), sed, args...)
		cmd.Stdin = strings.NewReader(text)
		want, err := cmd.Output()
		if err != nil {
			t.Errorf("sed %q: %v", args, err)
		}
		if got := s.apply(text); got != string(want) {
			t.Errorf("sed %q:\n%q, and sed says\n%q", args, got, want)
		}
	}
	if known < 20 {
		t.Errorf("only %d scripts are known", known)
	}
}
