package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docker/go-units"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/lint"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/pkg/run"
	"github.com/imglint/imglint/rules"
)

// options turns the flags into what the linter wants; its errors are usage errors.
func (f *flags) options(getenv func(string) string) (lint.Options, finding.Severity, error) {
	o := lint.Options{
		Static: f.static, Prove: !f.noProve, Volumes: f.volumes, Network: f.network, User: f.user,
		Rules: rules.All, Signs: rules.Signs{}, Ignore: map[string]bool{}, Limits: run.DefaultLimits,
		Overrides: platform.Overrides{Port: f.port, Path: f.path, Strict: f.strict, BootWindow: f.window},
	}
	failOn, err := finding.ParseSeverity(f.failOn)
	if err != nil {
		return o, 0, usage("--fail-on: %w", err)
	}
	platforms, err := f.platforms()
	if err != nil {
		return o, 0, err
	}
	o.Platform, o.Service = platforms[0], f.service
	for _, step := range []func(*lint.Options) error{f.numbers, f.ignores, f.limits, f.sourceFile, f.checkReading} {
		if err := step(&o); err != nil {
			return o, 0, err
		}
	}
	o.Env, err = f.environment(getenv)
	return o, failOn, err
}

func (f *flags) numbers(*lint.Options) error {
	switch {
	case f.port < 0 || f.port > 65535:
		return usage("--port %d: not a port, use 1 to 65535", f.port)
	case f.window < 0:
		return usage("--boot-window %s: must not be negative", f.window)
	case f.path != "" && !strings.HasPrefix(f.path, "/"):
		return usage("--path %q: a path starts with /", f.path)
	case f.diff && !printsText(f):
		return usage("%w", errDiffFormat)
	case f.jobs < 0:
		return usage("--jobs %d: must not be negative", f.jobs)
	}
	return nil
}

func (f *flags) ignores(o *lint.Options) error {
	for _, id := range f.ignore {
		if _, ok := lint.BuildCheck(id); !ok && rules.Find(id) == nil {
			return usage("--ignore: %w", unknownRule(id))
		}
		o.Ignore[id] = true
	}
	return nil
}

// leastMemory is the smallest limit that Docker accepts.
const leastMemory = 6 << 20

func (f *flags) limits(o *lint.Options) error {
	memory, err := units.RAMInBytes(f.memory)
	if err != nil || memory < leastMemory {
		return usage("--memory %q: use a size of at least 6m, such as 512m or 2g", f.memory)
	}
	if f.cpus < 0 {
		return usage("--cpus %v: must not be negative", f.cpus)
	}
	o.Limits.Memory, o.Limits.CPUs = memory, f.cpus
	return nil
}

// defaultDockerfile is looked at when the user names none.
const defaultDockerfile = "Dockerfile"

func (f *flags) sourceFile(o *lint.Options) error {
	name := f.dockerfile
	if name == "" {
		name = defaultDockerfile
	}
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
		o.Dockerfile = lint.Dockerfile{Name: name, Text: text, Explicit: f.dockerfile != "", Dir: f.context}
	case f.dockerfile != "":
		return usage("--dockerfile: %w", err)
	case !errors.Is(err, fs.ErrNotExist):
		return nil // ./Dockerfile is a directory or not ours to read: as if there were none
	}
	return nil
}

func unknownRule(id string) error {
	var ids []string
	for _, r := range rules.All {
		ids = append(ids, r.ID)
	}
	if best := nearest(id, ids); best != "" {
		return fmt.Errorf("there is no rule %q, did you mean %s?", id, best)
	}
	return fmt.Errorf("there is no rule %q; imglint rules lists them", id)
}
