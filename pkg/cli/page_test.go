package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/imglint/imglint/rules"
)

func TestSetPage(t *testing.T) {
	t.Parallel()
	const text = "# a-rule\n\nOne two three four five six **seven eight nine** ten `eleven twelve`.\nMore.\n\n- an item that is too long\n- b\n\n```Dockerfile\n# c\nCMD [\"a\"]   # ** kept ** as it is, however long the line\n```\nEnd.\n"
	for name, c := range map[string]struct {
		colour bool
		want   string
	}{
		"plain": {false, "a-rule\n\nOne two three four\nfive six seven eight\nnine ten `eleven\ntwelve`. More.\n\n- an item that is too\n  long\n- b\n\n  # c\n  CMD [\"a\"]   # ** kept ** as it is, however long the line\nEnd.\n"},
		"colour": {true, "\x1b[1ma-rule\x1b[0m\n\nOne two three four\nfive six \x1b[1mseven eight\nnine\x1b[0m ten \x1b[36meleven\ntwelve\x1b[0m. More.\n\n- an item that is too\n  long\n- b\n\n" +
			"  \x1b[2m# c\x1b[0m\n  \x1b[36mCMD [\"a\"]   # ** kept ** as it is, however long the line\x1b[0m\nEnd.\n"},
	} {
		if diff := cmp.Diff(c.want, setPage(text, 22, c.colour)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestPages sets every rule's page: no line of prose is wider than the
// terminal, and no word is lost.
func TestPages(t *testing.T) {
	t.Parallel()
	words := func(text string) []string {
		return strings.Fields(strings.NewReplacer("**", "", "`", "", "#", "").Replace(text))
	}
	for _, r := range rules.All {
		markdown, _ := rules.Page(r.ID)
		set := escapes.ReplaceAllString(setPage(markdown, 60, true), "")
		for _, line := range strings.Split(set, "\n") {
			if !strings.HasPrefix(line, "  ") && utf8.RuneCountInString(line) > 60 && strings.Contains(line, " ") {
				t.Errorf("%s: too wide: %q", r.ID, line)
			}
		}
		unfenced := regexp.MustCompile("(?m)^```.*\n").ReplaceAllString(markdown, "")
		if diff := cmp.Diff(words(unfenced), words(set)); diff != "" {
			t.Errorf("%s: words differ (-page +set):\n%s", r.ID, diff)
		}
	}
}

func TestExplainOnTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		terminal bool
		env      map[string]string
		escapes  bool
		markdown bool
	}{
		"pipe":     {false, nil, false, true},
		"terminal": {true, nil, true, false},
		"no color": {true, map[string]string{"NO_COLOR": "1"}, false, false},
		"dumb":     {true, map[string]string{"TERM": "dumb"}, false, false},
	} {
		var out bytes.Buffer
		status := Main([]string{"explain", "loopback-bind"}, IO{
			In: strings.NewReader(""), Out: &out, Err: &out, OutTerminal: c.terminal,
			OutWidth: func() int { return 80 }, Getenv: func(key string) string { return c.env[key] },
		})
		if status != ExitClean || strings.Contains(out.String(), "\x1b") != c.escapes || strings.HasPrefix(out.String(), "# ") != c.markdown {
			t.Errorf("%s: exit status %d, printed %.200q", name, status, out.String())
		}
	}
}
