package servers

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed catalogue/*.yaml
var catalogueFiles embed.FS

var catalogue = sync.OnceValue(func() []server { return mustLoad(catalogueFiles) })

// mustLoad panics on a broken catalogue, which is part of the program.
func mustLoad(files embed.FS) []server {
	all, err := load(files)
	if err != nil {
		panic(err)
	}
	return all
}

func load(files embed.FS) ([]server, error) {
	entries, err := files.ReadDir("catalogue")
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	var all []server
	for _, e := range entries {
		text, err := files.ReadFile(path.Join("catalogue", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		s, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("catalogue file %q: %w", e.Name(), err)
		}
		if s.ID+".yaml" != e.Name() {
			return nil, fmt.Errorf("catalogue file %q: its id is %q", e.Name(), s.ID)
		}
		s.evaluate = evaluators[s.Evaluator]
		all = append(all, s)
	}
	// An entry that asks for more comes before one that asks for less.
	slices.SortStableFunc(all, func(a, b server) int { return b.demands() - a.demands() })
	return all, nil
}

func (s server) demands() int {
	n := 0
	for _, asked := range [][]string{s.Words, s.Needs} {
		if len(asked) > 0 {
			n++
		}
	}
	return n
}

func decode(text []byte) (server, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var s server
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("decode: %w", err)
	}
	return s, s.validate()
}

func (s server) validate() error {
	switch {
	case s.ID == "" || s.Title == "" || s.Source == "" || len(s.Programs) == 0:
		return fmt.Errorf("id, title, source or programs is missing")
	case s.Evaluator != "" && evaluators[s.Evaluator] == nil:
		return fmt.Errorf("there is no evaluator %q", s.Evaluator)
	case !s.None && s.Unknown == "" && s.Host == nil && s.Port == nil && s.Bind == nil && s.Evaluator == "" && len(s.Also) == 0 && !s.neverServes():
		return fmt.Errorf("nothing says what it listens on")
	}
	for _, d := range s.Decide {
		if !slices.Contains([]string{"foreground", "daemon", "ends", "interactive", "unknown"}, d.Then) {
			return fmt.Errorf("decision %q is unknown", d.Then)
		}
		if err := d.Conf.validate(); err != nil {
			return err
		}
		if _, err := regexp.Compile(d.Value); err != nil {
			return fmt.Errorf("value %q: %w", d.Value, err)
		}
	}
	for _, set := range []*setting{s.Host, s.Port, s.Unix} {
		if set != nil {
			if err := set.Conf.validate(); err != nil {
				return err
			}
		}
	}
	return nil
}

// neverServes: every decision is that the command ends.
func (s server) neverServes() bool {
	return len(s.Decide) > 0 && !slices.ContainsFunc(s.Decide, func(d decision) bool {
		return d.Then != "ends" && d.Then != "interactive"
	})
}

func (c *conf) validate() error {
	if c == nil {
		return nil
	}
	for _, expr := range []string{c.Pattern, c.Unless} {
		if _, err := regexp.Compile(expr); err != nil {
			return fmt.Errorf("pattern %q: %w", expr, err)
		}
	}
	return nil
}

// match finds the entry for a command: the most specific name first.
func match(run *invocation, all []server) *server {
	for _, name := range run.names {
		for i := range all {
			if s := &all[i]; s.selects(run, name) {
				run.program = name.text
				return s
			}
		}
	}
	return nil
}

func (s *server) selects(run *invocation, name programName) bool {
	named := slices.ContainsFunc(s.Programs, func(pattern string) bool {
		ok, err := path.Match(pattern, name.text)
		return ok && err == nil
	})
	if !named {
		return false
	}
	run.parse(name, s)
	if len(s.Needs) > 0 && run.option(s.Needs) == nil {
		return false
	}
	if len(s.Words) == 0 {
		return true
	}
	if !slices.Contains(s.Words, run.subcommand()) {
		return false
	}
	if run.subcommand() != "" {
		run.takeSubcommand()
	}
	return true
}
