package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	blocks = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	spans  = regexp.MustCompile("`([^`\n]+)`")
	// shown finds a command of ours in a line of a block: alone, in a script of
	// YAML, or at the end of a pipe.
	shown = regexp.MustCompile(`^(?:\s*- (?:run: )?|[a-z ]+\| )?(imglint [^#\n]*)`)
)

// readers are the pages that people read first.
func readers(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range append(names, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(text)
	}
	return all
}

// TestDocsCommands runs the commands that blocks without a prompt show, on an
// image that stands for myapp: they have to be right, whatever they find. Those
// with a prompt are TestDocs's.
func TestDocsCommands(t *testing.T) {
	ref := build(t, "docs", serving...)
	dir := folder(t, map[string]string{
		"Dockerfile":  "FROM " + base + "\n" + strings.Join(serving, "\n") + "\n",
		"deploy.yaml": "services:\n  myapp:\n    image: " + ref + "\n    ports: [\"80:8000\"]\n",
	})
	if err := os.Remove(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Skipf("needs git: %s", out)
	}
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "imglint")); err != nil {
		t.Skip(err)
	}
	ran := map[string]bool{}
	for name, text := range readers(t) {
		for _, block := range blocks.FindAllStringSubmatch(text, -1) {
			if block[1] == "console" {
				continue
			}
			for line := range strings.Lines(block[2]) {
				m := shown.FindStringSubmatch(strings.TrimRight(line, "\n"))
				if m == nil || ran[m[1]] {
					continue
				}
				ran[m[1]] = true
				command := strings.ReplaceAll(strings.ReplaceAll(m[0], "myapp:latest", "myapp"), "myapp", ref)
				command = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(command), "- "), "run: ")
				cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), asImglint+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir, "GITHUB_ACTIONS=")
				out, err := cmd.CombinedOutput()
				if status := cmd.ProcessState.ExitCode(); status != ExitClean && status != ExitFindings {
					t.Errorf("%s: %s\nends with %v:\n%s", name, command, err, out)
				}
			}
		}
	}
	if len(ran) < 10 {
		t.Errorf("found %d commands: %v", len(ran), ran)
	}
}

// TestDocsFlags: every flag that the docs name is one.
func TestDocsFlags(t *testing.T) {
	t.Parallel()
	known := []string{"help"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(IO{}))
	word := regexp.MustCompile(`(?:^|\s)--([a-z][a-z-]*)`)
	for name, text := range readers(t) {
		var code []string
		for _, block := range blocks.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[2]) {
				if m := shown.FindStringSubmatch(strings.TrimPrefix(line, "$ ")); m != nil {
					code = append(code, m[1])
				}
			}
		}
		for _, span := range spans.FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
			if strings.HasPrefix(span[1], "imglint ") || strings.HasPrefix(span[1], "--") {
				code = append(code, span[1])
			}
		}
		for _, text := range code {
			for _, m := range word.FindAllStringSubmatch(strings.TrimPrefix(text, "--provenance"), -1) {
				if !slices.Contains(known, m[1]) {
					t.Errorf("%s: %s: there is no flag --%s", name, text, m[1])
				}
			}
		}
	}
}
