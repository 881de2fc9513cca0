package cli

import (
	"fmt"
	stdio "io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/platform"
)

func platformsCommand(io IO) *cobra.Command {
	return &cobra.Command{
		Use:   "platforms [NAME]",
		Short: "list the container platforms, or say what one asks and how imglint knows",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("platforms takes one name, for example: imglint platforms heroku")
			}
			s, err := settle(cmd.Flags(), io)
			switch {
			case err != nil:
				return err
			case len(args) == 0:
				return listPlatforms(io.Out, s.platforms)
			}
			return contract(io.Out, s.platforms, args[0])
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return platform.Names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func listPlatforms(out stdio.Writer, own ownPlatforms) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, name := range own.names() {
		p, err := own.load(name)
		if err != nil {
			return err
		}
		text := p.Title
		if slices.Contains(own, p) {
			text += "  (" + p.AsOf + ")"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, text)
	}
	return w.Flush()
}

// contract prints every claim of the catalogue with its source.
func contract(out stdio.Writer, own ownPlatforms, name string) error {
	p, err := own.load(name)
	if err != nil {
		return usage("%w", err)
	}
	fmt.Fprintf(out, "%s (%s)\nas of %s\n", p.Title, p.ID, p.AsOf)
	topic := ""
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range p.Contract() {
		if c.Topic != topic {
			topic = c.Topic
			fmt.Fprintf(w, "\n%s\n", topic)
		}
		text := c.Text
		if c.Known {
			text += fmt.Sprintf("  [%s: %s]", c.Confidence, c.Source)
		}
		fmt.Fprintf(w, "  %s\t%s\n", c.Name, text)
		if c.Note != "" {
			fmt.Fprintf(w, "  \t  (%s)\n", c.Note)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nsources\n")
	for _, key := range slices.Sorted(maps.Keys(p.Sources)) {
		fmt.Fprintf(out, "  %-10s %s\n", key, p.Sources[key])
	}
	return nil
}
