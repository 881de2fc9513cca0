package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manDir holds the man pages that packages install.
var manDir = filepath.Join("..", "..", "docs", "man")

// TestMan keeps docs/man equal to the commands.
func TestMan(t *testing.T) {
	t.Parallel()
	root := newRoot(IO{Getenv: func(string) string { return "" }})
	pages := map[string]string{}
	for _, cmd := range documented(root) {
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = manPage(cmd)
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.RemoveAll(manDir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(manDir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range pages {
			if err := os.WriteFile(filepath.Join(manDir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := map[string]string{}
	entries, err := os.ReadDir(manDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(manDir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(text)
	}
	if diff := cmp.Diff(pages, found); diff != "" {
		t.Errorf("docs/man differs from the code, run UPDATE_DOCS=1 go test ./pkg/cli -run TestMan (-code +file):\n%s", diff)
	}
}

// TestManReads has groff read the pages: no complaint, and every flag shown.
func TestManReads(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("needs groff")
	}
	page := filepath.Join(manDir, "imglint.1")
	out, err := exec.Command("groff", "-man", "-Tutf8", "-P-c", "-ww", page).CombinedOutput()
	if err != nil || strings.Contains(string(out), "warning") && strings.Contains(string(out), "groff:") {
		t.Fatalf("groff: %v\n%s", err, out)
	}
	text := regexp.MustCompile(".\b").ReplaceAllString(string(out), "") // overstruck
	root := newRoot(IO{Getenv: func(string) string { return "" }})
	root.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !strings.Contains(text, "--"+f.Name) {
			t.Errorf("the page does not show --%s", f.Name)
		}
	})
	if !strings.Contains(text, "imglint --static registry.example/app") {
		t.Errorf("the examples are not shown as they are:\n%s", text)
	}
}

// documented are the commands that people call.
func documented(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			all = append(all, documented(sub)...)
		}
	}
	return all
}

// manPage writes a page in man(7)'s language.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	line(`.TH "%s" 1 "" "imglint" "imglint"`, strings.ToUpper(roff(name)))
	line(".SH NAME\n%s \\- %s", roff(name), roff(cmd.Short))
	line(".SH SYNOPSIS\n.B %s", roff(cmd.UseLine()))
	line(".SH DESCRIPTION")
	about := cmd.Long
	if about == "" {
		about = cmd.Short + "."
	}
	line("%s", strings.ReplaceAll(roff(about), "\n\n", "\n.PP\n"))
	if cmd.HasAvailableLocalFlags() {
		line(".SH OPTIONS")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden {
				return
			}
			value, about := pflag.UnquoteUsage(f)
			short := ""
			if f.Shorthand != "" {
				short = "-" + f.Shorthand + ", "
			}
			line(".TP\n.B %s", strings.TrimSpace(roff(short+"--"+f.Name+" "+value)))
			line("%s", roff(about))
		})
	}
	if cmd.HasExample() {
		line(".SH EXAMPLES\n.nf\n%s\n.fi", roff(cmd.Example))
	}
	if !cmd.HasParent() {
		line(".SH \"EXIT STATUS\"\n.nf\n%s\n.fi", roff(strings.TrimSpace(strings.TrimPrefix(statuses, "Exit status:\n"))))
		line(".SH FILES\n.TP\n.B .imglint.yaml\nsettings of a repository; imglint init writes one, imglint config shows what it comes to")
		line(".SH ENVIRONMENT\n.TP\n.B %s\nthe value of a flag that is not given, with _ for -: IMGLINT_FAIL_ON", roff("IMGLINT_*"))
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, strings.ReplaceAll(cmd.Parent().CommandPath(), " ", "-"))
	}
	for _, sub := range documented(cmd)[1:] {
		also = append(also, strings.ReplaceAll(sub.CommandPath(), " ", "-"))
	}
	slices.Sort(also)
	if len(also) > 0 {
		line(".SH \"SEE ALSO\"\n.BR %s (1)", strings.Join(also, " (1),\n.BR "))
	}
	return b.String()
}

// roff escapes what man(7) would take for its own.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
