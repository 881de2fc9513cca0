package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/report"
)

// sourceFlags are the flags about Dockerfiles.
type sourceFlags struct {
	target        string
	buildArgs     []string
	context       string
	contexts      []string
	noBuildChecks bool
	diff, fix     bool
	arch          string
	maxLayerBytes string
}

func (f *sourceFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.target, "target", "", "of a Dockerfile, the `STAGE` to check (default: the last)")
	set.StringArrayVar(&f.buildArgs, "build-arg", nil, "of a Dockerfile, set an ARG: `KEY=VALUE`, or KEY to pass on your variable")
	set.StringVar(&f.context, "context", "", "of a Dockerfile, the `DIRECTORY` that COPY reads (default: the Dockerfile's, or the working directory)")
	set.StringArrayVar(&f.contexts, "build-context", nil, "of a Dockerfile, what stands for an image or a stage: `NAME=DIR`, NAME=docker-image://REF or NAME=oci-layout://PATH")
	set.BoolVar(&f.noBuildChecks, "no-build-checks", false, "of a Dockerfile, leave out BuildKit's own checks")
	set.StringVar(&f.arch, "arch", "", "of an image for several CPUs, the `ARCHITECTURE` to check, such as arm64 (default: amd64, or the only one)")
	set.StringVar(&f.maxLayerBytes, "max-layer-bytes", "256m", "read at most this `SIZE` of an image's layers where they are not unpacked; what lies behind is said to be unexamined")
	set.BoolVar(&f.diff, "diff", false, "print the fixes of the errors as a diff of the Dockerfile, for git apply")
	set.BoolVar(&f.fix, "fix", false, "write the fixes of the errors to the Dockerfile")
}

// architectures are those that container platforms run.
var architectures = []string{"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}

// checkReading refuses what cannot be read.
func (f *sourceFlags) checkReading(*lint.Options) error {
	if f.context != "" {
		if info, err := os.Stat(f.context); err != nil || !info.IsDir() {
			return usage("--context %q: it is not a directory", f.context)
		}
	}
	if f.arch != "" && !slices.Contains(architectures, f.arch) {
		return usage("--arch %q: use one of %s", f.arch, strings.Join(architectures, ", "))
	}
	if n, err := units.RAMInBytes(f.maxLayerBytes); err != nil || n < 1<<20 {
		return usage("--max-layer-bytes %q: use a size of at least 1m, such as 64m or 1g", f.maxLayerBytes)
	}
	return nil
}

// reading is what the flags say about images that are read and not unpacked.
func (f *sourceFlags) reading() lint.Reading {
	n, _ := units.RAMInBytes(f.maxLayerBytes) // checked before
	return lint.Reading{Version: versionText(), Architecture: f.arch, MaxLayerBytes: n, Indexes: indexDir()}
}

// checkArguments refuses what is surely nothing to check.
func checkArguments(arguments []string) error {
	if len(arguments) == 0 {
		return usage("name an image, for example: imglint myapp:latest (see imglint --help)")
	}
	if n := slices.Index(arguments, lint.Stdin); n >= 0 && slices.Contains(arguments[n+1:], lint.Stdin) {
		return usage("standard input (-) can be read once")
	}
	for _, name := range arguments {
		if _, err := lint.Classify(name); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

// places are where the arguments of a call can be.
type places struct {
	stored lint.Source
	there  []lint.Source // an engine, a registry
	bases  *lint.Bases
}

// of lists the sources; a Dockerfile is read as its build says.
func (p places) of(b lint.Build) []lint.Source {
	b.Base = p.bases.Open
	return append([]lint.Source{p.stored, lint.FromDockerfiles(b)}, p.there...)
}

// places finds where the arguments are. The engine is left alone when none of
// them can be there.
func (f *flags) places(ctx context.Context, io IO, arguments []string, options *lint.Options) (places, func(), error) {
	runner, err := f.here(ctx)
	if err != nil {
		return places{}, nil, err
	}
	bases := &lint.Bases{Host: f.host, Reading: f.reading()}
	closeBases := func() {
		if err := bases.Close(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintf(io.Err, "imglint: %v\n", err)
		}
	}
	stored := lint.FromStorage(io.In, f.reading())
	if runner != nil {
		stored = lint.RunHere(stored, runner)
	}
	p := places{stored: stored, bases: bases}
	names := 0
	for _, argument := range arguments {
		if elsewhere(argument) {
			names++
		}
	}
	if names == 0 {
		return p, closeBases, nil
	}
	there, closing, err := connect(ctx, f, io, names, runner, options)
	if err != nil {
		return p, nil, err
	}
	p.there = there
	return p, func() { closing(); closeBases() }, nil
}

// elsewhere reports whether an argument is an image's name.
func elsewhere(argument string) bool {
	kind, err := lint.Classify(argument)
	return err == nil && kind == lint.ArgumentReference
}

// build says how a Dockerfile would be built. It reads --build-arg as docker
// build does: KEY alone takes imglint's own variable.
func (f *flags) build(getenv func(string) string) (lint.Build, error) {
	b := lint.Build{Target: f.target, Architecture: f.arch, Args: map[string]string{}, Checks: !f.noBuildChecks, Context: f.context, Contexts: map[string]string{}}
	for _, text := range f.contexts {
		name, value, err := lint.ParseContext(text)
		if err != nil {
			return b, usage("--build-context %q: %w", text, err)
		}
		b.Contexts[name] = value
	}
	for _, text := range f.buildArgs {
		pairs, err := variable(text, getenv)
		if err != nil {
			return b, usage("--build-arg %q: %w", text, err)
		}
		for _, pair := range pairs {
			key, value, _ := strings.Cut(pair, "=")
			b.Args[key] = value
		}
	}
	return b, nil
}

// unbuilt reports whether a result is about a Dockerfile.
func unbuilt(r report.Result) bool {
	return r.Facts != nil && r.Facts.Image.Source == lint.SourceDockerfile
}

// unbuiltStatus is the exit status of a Dockerfile without findings: nothing
// was to be run, but what starts has to be known.
func unbuiltStatus(r report.Result) int {
	if d := r.Facts.Dockerfile; d != nil && d.BaseUnknown && len(r.Facts.Launch.Argv) == 0 {
		return ExitUnable
	}
	return ExitClean
}

var errDiffFormat = errors.New("--diff prints after the text report: give other formats a file, as in --format json=report.json")

// printsText reports whether the text report goes to standard output.
func printsText(f *flags) bool {
	return f.output == "" && !slices.ContainsFunc(f.formats, func(format string) bool {
		return format != "text" && !strings.Contains(format, "=")
	})
}
