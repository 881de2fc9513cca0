package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/imglint/imglint/pkg/config"
)

func configCommand(io IO) *cobra.Command {
	shown := &flags{}
	cmd := &cobra.Command{
		Use:   "config",
		Short: "show every setting and where it comes from",
		Long: "config shows what imglint would do here: every setting, and whether it comes from\n" +
			"a flag, an IMGLINT_* variable, the config file or the default, in this order.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := settle(cmd.Flags(), io)
			if err != nil {
				return err
			}
			return s.print(io)
		},
	}
	shown.register(cmd)
	completions(cmd)
	return cmd
}

// unlisted flags are no settings.
var unlisted = []string{"help", "config", "images-from"}

func (s *settings) print(io IO) error {
	w := tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)
	name := s.file.Name
	if name == "" {
		name = "none (imglint init writes one)"
	}
	fmt.Fprintf(w, "config file:\t%s\n\n", name)
	if err := s.printSettings(w, nil, ""); err != nil {
		return err
	}
	for _, i := range s.file.Images {
		fmt.Fprintf(w, "\nimage %s\t\t%s:%d\n", i.Name, s.file.Name, i.Line)
		if err := s.printSettings(w, &i, "  "); err != nil {
			return err
		}
		for _, extra := range [][2]string{{"args", strings.Join(i.Args, " ")}, {"build", i.Build}, {"context", i.Context}} {
			if extra[1] != "" {
				fmt.Fprintf(w, "  %s\t%s\t%s\n", extra[0], extra[1], s.file.Name)
			}
		}
	}
	s.printRest(w)
	return w.Flush()
}

// printSettings prints all settings, or those that are different for an image.
func (s *settings) printSettings(w *tabwriter.Writer, image *config.Image, indent string) error {
	_, set, from, err := s.resolve(image)
	if err != nil {
		return err
	}
	set.VisitAll(func(flag *pflag.Flag) {
		if slices.Contains(unlisted, flag.Name) {
			return
		}
		if image != nil {
			if _, own := image.Settings[flag.Name]; !own {
				return
			}
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", indent, flag.Name, valueText(flag.Name, valuesOf(flag)), from.text(flag.Name))
	})
	return nil
}

// text tells where a value comes from: of values that add up every place, of
// others the one that holds and what it goes before.
func (o origin) text(name string) string {
	all := o[name]
	if len(all) == 0 {
		return "default"
	}
	last := len(all) - 1
	var places, beaten []string
	for _, g := range all {
		places, beaten = append(places, g.where), append(beaten, g.where+" "+g.value)
	}
	switch {
	case slices.Contains(additive, name):
		return strings.Join(places, " + ")
	case last == 0:
		return places[0]
	}
	slices.Reverse(beaten)
	return places[last] + " (goes before " + strings.Join(beaten[1:], ", ") + ")"
}

func valuesOf(flag *pflag.Flag) []string {
	if list, ok := flag.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return []string{flag.Value.String()}
}

// valueText keeps the values of variables off the screen; their names suffice.
func valueText(name string, values []string) string {
	words := slices.Clone(values)
	if name == "env" || name == "build-arg" {
		for i, pair := range words {
			words[i], _, _ = strings.Cut(pair, "=")
		}
	}
	if text := strings.Join(words, " "); text != "" {
		return text
	}
	return "-"
}

func (s *settings) printRest(w *tabwriter.Writer) {
	hold, expired := s.ignores()
	for _, i := range hold {
		text := i.Reason
		if i.Image != "" {
			text += " (" + i.Image + ")"
		}
		if !i.Until.IsZero() {
			text += " (until " + i.Until.Format(time.DateOnly) + ")"
		}
		fmt.Fprintf(w, "\nignore %s\t%s\t%s", i.Rule, text, i.From)
	}
	for _, text := range expired {
		fmt.Fprintf(w, "\n%s", text)
	}
	for _, id := range slices.Sorted(maps.Keys(s.file.Severities)) {
		fmt.Fprintf(w, "\nseverity %s\t%s\t%s", id, s.file.Severities[id], s.file.Name)
	}
	if s.file.Hook.Always {
		fmt.Fprintf(w, "\nhook always\ttrue\t%s", s.file.Name)
	}
	if len(s.file.Hook.Paths) > 0 {
		fmt.Fprintf(w, "\nhook paths\t%s\t%s", strings.Join(s.file.Hook.Paths, " "), s.file.Name)
	}
	if len(hold)+len(expired)+len(s.file.Severities)+len(s.file.Hook.Paths) > 0 || s.file.Hook.Always {
		fmt.Fprintln(w)
	}
}
