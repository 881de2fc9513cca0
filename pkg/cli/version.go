package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/probe/embed"
	"github.com/imglint/imglint/rules"
)

// version is set by the release build with -ldflags -X.
var version = ""

// buildInfo is what there is to know about this program.
type buildInfo struct {
	Version   string   `json:"version"`
	System    string   `json:"system"`
	Go        string   `json:"go"`
	Commit    string   `json:"commit,omitempty"`
	Time      string   `json:"time,omitempty"` // of the commit
	Modified  bool     `json:"modified"`       // since the commit
	Probes    []string `json:"probes"`         // the systems whose containers it can watch
	Rules     int      `json:"rules"`
	Platforms int      `json:"platforms"`
}

func versionCommand(io IO) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "print the version, and what it was built from",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			switch format {
			case "text":
				fmt.Fprint(io.Out, b.text())
				return nil
			case "json":
				return json.NewEncoder(io.Out).Encode(b)
			}
			return usage("--output %q: use text or json", format)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "print `text` or json")
	return cmd
}

func thisBuild() buildInfo {
	b := buildInfo{
		Version: versionText(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		Probes: []string{}, Rules: len(rules.All), Platforms: len(platform.Names()),
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if embed.Standalone(arch) {
			b.Probes = append(b.Probes, "linux/"+arch)
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b buildInfo) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "imglint %s %s %s\n", b.Version, b.System, b.Go)
	if b.Commit != "" {
		changed := ""
		if b.Modified {
			changed = ", changed since"
		}
		fmt.Fprintf(&out, "commit  %s %s%s\n", b.Commit, b.Time, changed)
	}
	probes := strings.Join(b.Probes, ", ")
	if probes == "" {
		probes = "its own executable"
	}
	fmt.Fprintf(&out, "probes  %s\nknows   %d rules, %d platforms\n", probes, b.Rules, b.Platforms)
	return out.String()
}

// versionText is the release's version, or what the Go toolchain recorded.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
