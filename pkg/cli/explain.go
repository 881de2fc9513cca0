package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/rules"
)

func explainCommand(io IO) *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE",
		Short: "say what a rule reports, why the health check fails, and the fix",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("explain takes one rule, for example: imglint explain loopback-bind")
			}
			page, ok := rules.Page(args[0])
			if !ok {
				page, ok = lint.BuildCheck(args[0])
			}
			if !ok {
				return &statusError{ExitUsage, unknownRule(args[0])}
			}
			_, err := fmt.Fprint(io.Out, io.page(page))
			return err
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return ruleWords(), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func rulesCommand(io IO) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "list the rules",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			switch output {
			case "json":
				return rulesJSON(io)
			case "text":
			default:
				return usage("--output %q: use text or json", output)
			}
			w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
			for _, r := range rules.All {
				fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Severity, r.Title)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "how to print them, a `FORMAT`: text or json")
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no arguments", cmd.Name())
	}
	return nil
}
