// Package cli is imglint's command line: flags, wiring and exit statuses.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/launch/sealed"
	"github.com/imglint/imglint/pkg/probe"
)

// The exit statuses, which are part of what users rely on.
const (
	ExitClean    = 0 // nothing at or above --fail-on
	ExitFindings = 1 // findings at or above --fail-on
	ExitUsage    = 2 // wrong usage
	ExitUnable   = 3 // an image could not be checked
)

// statusError carries an exit status; its text may be empty when everything
// was said.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &statusError{ExitUsage, fmt.Errorf(format, args...)}
}

// IO is what a call of imglint reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal reports whether In, Out and Err are terminals; Width is Err's and
	// OutWidth Out's, in columns.
	OutTerminal, ErrTerminal bool
	InTerminal               bool
	Width, OutWidth          func() int
	Getenv                   func(string) string
	// Program is imglint's own file, which it starts again to interpret the
	// scripts of images; "": they are interpreted in this process.
	Program string
}

// Main runs imglint and returns its exit status. Under the probe's name inside
// a container it is the probe: a build without the small one puts itself there.
func Main(args []string, io IO) int {
	if os.Args[0] == probe.Path {
		return probe.Main(args)
	}
	if len(args) == 1 && args[0] == sealed.Argument {
		return sealed.Main(io.In, io.Out)
	}
	ctx, stop := interruptible()
	defer stop()
	err := execute(ctx, newRoot(io), args)
	if err == nil {
		return ExitClean
	}
	var status *statusError
	if !errors.As(err, &status) {
		status = &statusError{ExitUsage, err} // cobra's own: unknown flag, bad value
	}
	if text := status.Error(); text != "" {
		fmt.Fprintf(io.Err, "imglint: %s\n", text)
	}
	return status.status
}

// execute runs a command line; a fault of imglint's own is an error like others.
func execute(ctx context.Context, root *cobra.Command, args []string) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = &statusError{ExitUnable, faultError(fault)}
		}
	}()
	root.SetArgs(volumeOrVerbose(args))
	return root.ExecuteContext(ctx)
}

// interruptible returns a context that the first Ctrl-C, SIGTERM or closed
// terminal cancels, so that everything is removed; the second one ends the
// process at once. A reader of the output that goes away ends nothing.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // else the kernel's answer to a write would end the process
	go func() {
		if s, ok := <-signals; ok {
			signal.Stop(signals)
			cancel(fmt.Errorf("interrupted by %s", s))
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// volumeOrVerbose tells the two uses of -v apart: docker's, before something
// that holds ":/", which no image name does, and everybody else's.
func volumeOrVerbose(args []string) []string {
	var out []string
	for i, arg := range args {
		if arg == "-v" && (i+1 == len(args) || !strings.Contains(args[i+1], ":/")) {
			arg = "--verbose"
		}
		out = append(out, arg)
	}
	return out
}
