package cli

import (
	"errors"
	"fmt"
	stdio "io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imglint/imglint/pkg/config"
)

func initCommand(io IO) *cobra.Command {
	var stdout bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "write a commented " + config.Name + " after a look at the repository",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			here, err := os.Getwd()
			if err != nil {
				return fmt.Errorf("find the working directory: %w", err)
			}
			found, err := look(os.DirFS("."), filepath.Base(here))
			if err != nil {
				return &statusError{ExitUnable, err}
			}
			if stdout {
				_, err = stdio.WriteString(io.Out, found.config())
				return err
			}
			return found.write(io)
		},
	}
	cmd.Flags().BoolVar(&stdout, "stdout", false, "print it instead of writing "+config.Name)
	return cmd
}

// write never replaces a file.
func (s survey) write(io IO) error {
	file, err := os.OpenFile(config.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usage("%s exists already; imglint init --stdout prints what it would write", config.Name)
	}
	if err != nil {
		return &statusError{ExitUnable, err}
	}
	_, err = file.WriteString(s.config())
	if err = errors.Join(err, file.Close()); err != nil {
		return &statusError{ExitUnable, fmt.Errorf("write %s: %w", config.Name, err)}
	}
	for _, line := range s.saw {
		fmt.Fprintln(io.Out, "saw "+line)
	}
	fmt.Fprintf(io.Out, "wrote %s; imglint config shows what it comes to\n", config.Name)
	return nil
}

// config is the file's text. What was found stands there to be used, what else
// there is as comments.
func (s survey) config() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# yaml-language-server: $schema=https://raw.githubusercontent.com/imglint/imglint/main/docs/imglint.config.schema.json")
	line("# What imglint knows about this repository. Flags and IMGLINT_* variables go")
	line("# before this file; imglint config shows what it comes to.")
	line("")
	line("# The platform to judge for; imglint platforms lists them.")
	line("platform: %s%s", s.platform, s.why)
	line("")
	line("# The images. `imglint` alone checks them all; build is for `imglint hook`.")
	line("images:")
	for _, i := range s.images {
		i.config(line)
	}
	s.environment(line)
	line("")
	line("# Findings that do not matter here. A reason is required; until is the last day it holds.")
	line("# ignore:")
	line("#   - rule: missing-expose")
	line("#     reason: the port is set on the endpoint")
	line("#     until: 2030-12-31")
	line("")
	line("# The platforms as they are set up here, and those of your own.")
	line("# platforms:")
	line("#   our-cluster: {extends: kubernetes, port: 8080, path: /ready, status: 200-299}")
	line("")
	line("# severities:")
	line("#   gunicorn-no-preload: note")
	line("")
	line("# The least severity that makes the exit status 1: error, warning or note.")
	line("# fail-on: error")
	line("# limits: {memory: 1g, cpus: 1}")
	line("")
	line("# When `imglint hook` looks at the images: when a pushed change touches one of these.")
	line("# hook:")
	line("#   paths: [Dockerfile, \"app/**\"]")
	return b.String()
}

func (i foundImage) config(line func(string, ...any)) {
	line("  - image: %s", i.name)
	line("    dockerfile: %s", quoted(i.dockerfile))
	line("    # target: web   # the stage; build-args, args, env, platform, … can be the image's own too")
	context := filepath.ToSlash(filepath.Dir(i.dockerfile))
	line("    build: docker build -t %s -f %s %s", i.name, i.dockerfile, context)
	switch len(i.ports) {
	case 0:
		line("    # port: 8000   # the Dockerfile has no EXPOSE")
	case 1:
		line("    # port: %s   # EXPOSE says so", i.ports[0])
	default:
		line("    # port: %s   # EXPOSE has several: %s", i.ports[0], strings.Join(i.ports, " "))
	}
}

func (s survey) environment(line func(string, ...any)) {
	if len(s.variables) == 0 {
		line("    # env: {DATABASE_URL: postgres://…}   # what it needs to start")
		return
	}
	line("    # %s names these; give those that it needs to start:", s.example)
	line("    # env:")
	for _, name := range s.variables {
		line("    #   %s: ", name)
	}
}

// quoted is a YAML string that is plain where it can be.
func quoted(text string) string {
	if strings.ContainsAny(text, " #:\"'{}[],&*!|>%@`") {
		return fmt.Sprintf("%q", text)
	}
	return text
}
