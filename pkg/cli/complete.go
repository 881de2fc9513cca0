package cli

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/report"
	"github.com/imglint/imglint/rules"
)

// completions teach the shells the words that flags and arguments take. They
// are for every command that has the flags.
func completions(cmd *cobra.Command) {
	for flag, words := range map[string]func() []string{
		"platform": platformWords, "ignore": ruleWords, "fail-on": severityWords, "format": formatWords,
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return words(), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(err) // a flag that was looked up a moment ago is gone, or is registered twice
		}
	}
}

func ruleWords() []string {
	var all []string
	for _, r := range rules.All {
		all = append(all, r.ID+"\t"+r.Title)
	}
	return all
}

func platformWords() []string {
	var all []string
	for _, name := range platform.Names() {
		if p, err := platform.Load(name); err == nil {
			all = append(all, name+"\t"+p.Title)
		}
	}
	return all
}

func severityWords() []string {
	return []string{"error\tthe health check will fail", "warning\tmay fail, or works by luck", "note\tworth knowing"}
}

func formatWords() []string {
	var all []string
	for _, f := range report.Formats {
		all = append(all, f.Name+"\t"+f.About)
	}
	return all
}

// patience is how long a person waits for the Tab key.
const patience = 2 * time.Second

// localImages completes arguments: the engine's images, and files.
func localImages(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	if strings.HasPrefix(begun, ".") || strings.HasPrefix(begun, "/") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	host, _ := cmd.Flags().GetString("host")
	names := imageNames(cmd.Context(), host)
	var fitting []string
	for _, name := range names {
		if strings.HasPrefix(name, begun) {
			fitting = append(fitting, name)
		}
	}
	return fitting, cobra.ShellCompDirectiveDefault
}

// imageNames asks the engine's own command, which knows where the engine is.
func imageNames(ctx context.Context, host string) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, engine := range []string{"docker", "podman"} {
		args := []string{"image", "ls", "--format", "{{.Repository}}:{{.Tag}}"}
		if host != "" && engine == "docker" {
			args = append([]string{"--host", host}, args...)
		}
		list := exec.CommandContext(ctx, engine, args...)
		list.WaitDelay = patience / 10
		out, err := list.Output()
		if err != nil {
			continue
		}
		names := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return strings.Contains(name, "<none>") })
		slices.Sort(names)
		return slices.Compact(names)
	}
	return nil
}

// suggestions are for those who meant a command: a word that is none is taken
// for an image.
func (s *session) suggestions() []string {
	var all []string
	for _, r := range s.results() {
		if r.Err == nil {
			continue
		}
		if best := nearest(r.Ref, commandNames); best != "" {
			all = append(all, fmt.Sprintf("%s was taken for an image; did you mean imglint %s?", r.Ref, best))
		}
	}
	return all
}

// commandNames are kept equal to the commands by a test: to ask for them here
// would be a loop of initialisations.
var commandNames = []string{"cache", "completion", "config", "explain", "help", "hook", "init", "platforms", "rules", "version"}
