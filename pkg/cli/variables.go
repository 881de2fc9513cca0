package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// environment is what one place (the config file, the image's entry there, the
// environment, the command line) says about the container's variables.
type environment struct{ files, pairs []string }

// variablesOf are a layer's; files of the config file are relative to it.
func (s *settings) variablesOf(l layer) environment {
	file := l.settings["env-file"]
	v := environment{files: file.Values, pairs: l.settings["env"].Values}
	if file.Line > 0 {
		v.files = s.beside(file.Values)
	}
	return v
}

// environment collects the variables, those that win last: of one place --env
// goes before --env-file, and both go before whatever a more general place says.
func (f *flags) environment(getenv func(string) string) ([]string, error) {
	var env []string
	for _, v := range f.variables {
		for _, name := range v.files {
			read, err := readEnvFile(name, getenv)
			if err != nil {
				return nil, err
			}
			env = append(env, read...)
		}
		for _, kv := range v.pairs {
			pair, err := variable(kv, getenv)
			if err != nil {
				return nil, usage("--env %q: %w", kv, err)
			}
			env = append(env, pair...)
		}
	}
	return env, nil
}

// longestVariable is Linux's: KEY=VALUE with its end has 32 pages at the most.
const longestVariable = 128 << 10

func readEnvFile(name string, getenv func(string) string) ([]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, usage("--env-file: %w", err)
	}
	defer file.Close()
	var env []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, longestVariable)
	n := 1
	for ; scanner.Scan(); n++ {
		line := strings.TrimLeft(scanner.Text(), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pair, err := variable(line, getenv)
		if err != nil {
			return nil, usage("--env-file %s:%d: %w", name, n, err)
		}
		env = append(env, pair...)
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, usage("--env-file %s:%d: the line is longer than the %d KiB that a variable can have; put what it holds into a file and give that with --volume", name, n, longestVariable>>10)
	} else if err != nil {
		return nil, usage("--env-file %s: %w", name, err)
	}
	return env, nil
}

// variable reads KEY=VALUE, or KEY whose value is imglint's own; as docker run
// does, a KEY that is not set there is left out.
func variable(text string, getenv func(string) string) ([]string, error) {
	key, _, given := strings.Cut(text, "=")
	if key == "" || strings.ContainsAny(key, " \t\x00") {
		return nil, fmt.Errorf("not KEY=VALUE")
	}
	if given {
		return []string{text}, nil
	}
	if value := getenv(key); value != "" {
		return []string{key + "=" + value}, nil
	}
	return nil, nil
}
