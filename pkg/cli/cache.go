package cli

import (
	"cmp"
	"fmt"
	stdio "io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/run/local"
)

const cacheLong = `Without an engine imglint unpacks an image's layers before it runs them, and
keeps them for the next run in imglint's folder of your cache directory
(XDG_CACHE_HOME, ~/.cache). The layers used last stay, 2 GiB of them at most.

Of an image in a registry it keeps what was learned of layers that were read
whole, 256 MiB at most, so that they need not travel again.`

func cacheCommand(io IO) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "list what is kept of layers: unpacked ones, and indexes",
		Long:  cacheLong,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			return cmp.Or(listCache(io.Out, time.Now()), listIndexes(io.Out))
		},
	}
	cmd.AddCommand(pruneCommand(io))
	return cmd
}

func listCache(out stdio.Writer, now time.Time) error {
	dir, entries, err := local.Cached(local.Options{})
	if err != nil {
		return &statusError{ExitUnable, err}
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	total := int64(0)
	if len(entries) > 0 {
		fmt.Fprintln(w, "LAYER\tSIZE\tFILES\tLAST USED\t")
	}
	for _, e := range entries {
		total += e.Bytes
		notes := ""
		if e.For != "" {
			notes = "for user " + e.For
		}
		if e.InUse {
			notes = strings.TrimPrefix(notes+", in use", ", ")
		}
		fmt.Fprintf(w, "%.12s\t%s\t%d\t%s\t%s\n", strings.TrimPrefix(e.DiffID, "sha256:"), byteText(e.Bytes), e.Files, ago(now, e.Used), notes)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s, %s of at most %s, in %s\n", layerCount(len(entries)), byteText(total), byteText(local.DefaultCacheSize), dir)
	return err
}

func listIndexes(out stdio.Writer) error {
	count, size, err := lint.Indexed(indexDir())
	if err != nil {
		return &statusError{ExitUnable, err}
	}
	if count > 0 {
		_, err = fmt.Fprintf(out, "%s, %s of at most %s, in %s\n", indexCount(count), byteText(size), byteText(lint.IndexesSize), indexDir())
	}
	return err
}

func indexCount(n int) string {
	if n == 1 {
		return "1 layer of a registry's image"
	}
	return strconv.Itoa(n) + " layers of registries' images"
}

// byteText is a size as people read it, in the units that --max takes.
func byteText(n int64) string { return units.BytesSize(float64(n)) }

func ago(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return strings.ToLower(units.HumanDuration(now.Sub(then))) + " ago"
}

func layerCount(n int) string {
	if n == 1 {
		return "1 layer"
	}
	return strconv.Itoa(n) + " layers"
}

// pruning is what the flags of imglint cache prune say.
type pruning struct {
	all   bool
	older string
	size  string
}

func pruneCommand(io IO) *cobra.Command {
	p := pruning{}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove what is kept of layers, those used least recently first",
		Long: "Removes the layers that the flags say, and what a killed imglint left. Without a flag the\n" +
			"cache is brought to its bound, as every run does. A layer that is in use stays.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.prune(cmd, io) },
	}
	cmd.Flags().BoolVar(&p.all, "all", false, "remove every layer")
	cmd.Flags().StringVar(&p.older, "older-than", "", "remove layers that were not used for a `DURATION`, such as 12h or 7d")
	cmd.Flags().StringVar(&p.size, "max", "", "remove layers until the rest has at most this `SIZE`, such as 500m")
	return cmd
}

func (p pruning) prune(cmd *cobra.Command, io IO) error {
	if p.all && (p.older != "" || p.size != "") {
		return usage("--all leaves nothing: leave out --older-than and --max")
	}
	keep, err := p.keep(time.Now())
	if err != nil {
		return err
	}
	indexes, size, fault := lint.PruneIndexes(indexDir(), keep.Since, keep.Bytes)
	removed, err := local.Prune(local.Options{}, keep)
	total := int64(0)
	for _, e := range removed {
		total += e.Bytes
	}
	fmt.Fprintf(io.Out, "removed %s, %s\n", layerCount(len(removed)), byteText(total))
	if indexes > 0 {
		fmt.Fprintf(io.Out, "removed %s, %s\n", indexCount(indexes), byteText(size))
	}
	if err = cmp.Or(err, fault); err != nil {
		return &statusError{ExitUnable, err}
	}
	return cmd.Context().Err()
}

func (p pruning) keep(now time.Time) (local.Keep, error) {
	if p.all {
		return local.KeepNothing, nil
	}
	keep := local.Keep{Bytes: local.DefaultCacheSize}
	if p.older != "" {
		age, err := period(p.older)
		if err != nil {
			return keep, usage("--older-than %q: use a duration such as 12h or 7d", p.older)
		}
		keep = local.Keep{Bytes: math.MaxInt64, Since: now.Add(-age)}
	}
	if p.size != "" {
		size, err := units.RAMInBytes(p.size)
		if err != nil || size < 0 {
			return keep, usage("--max %q: use a size such as 500m or 2g", p.size)
		}
		keep.Bytes = size
	}
	return keep, nil
}

// period reads a duration that may be in days.
func period(text string) (time.Duration, error) {
	age, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		age = time.Duration(n) * 24 * time.Hour
	}
	if err == nil && age < 0 {
		err = strconv.ErrRange
	}
	return age, err
}
