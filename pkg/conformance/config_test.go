package conformance

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

// suite is one file of fixtures/conformance.
//
//	root     the image below it: imglint-fixtures/ROOT
//	slice    how many of the first cases run in `make test`
//	quiet    how long no listener may be opened before a run counts as complete
//	wait     how long a run may last in which nothing listens
//
// What stands here holds for every case that does not say otherwise; env and
// files are added up.
type suite struct {
	name     string
	Root     string
	Slice    int
	settings `yaml:",inline"`
	Cases    []testCase
}

// settings are the surroundings of a case.
type settings struct {
	Env   []string
	Files map[string]string // those that start with #! are executable
	Dir   string
	User  string
	Quiet time.Duration
	Wait  time.Duration
}

// testCase is one configuration. A text or a list alone is its CMD in exec form.
//
//	run         CMD in exec form: a list, or words with shell-like quotes
//	shell       CMD in shell form
//	entrypoint  ENTRYPOINT in exec form
//	fails       why the program ends with an error; it has to
//	differs     why the prediction may be wrong; it has to be
//	undecidable why nobody can tell from the image
type testCase struct {
	Run         words
	Shell       string
	Entrypoint  words
	settings    `yaml:",inline"`
	Fails       string
	Differs     string
	Undecidable string
}

// UnmarshalYAML reads a case or the short form of one.
func (c *testCase) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return c.Run.UnmarshalYAML(n)
	}
	type plain testCase
	return n.Decode((*plain)(c))
}

// words are an exec form.
type words []string

// UnmarshalYAML reads a list, or words with shell-like quotes.
func (w *words) UnmarshalYAML(n *yaml.Node) (err error) {
	if n.Kind == yaml.ScalarNode {
		*w, err = split(n.Value)
		return err
	}
	return n.Decode((*[]string)(w))
}

// split splits words at blanks; single and double quotes keep them.
func split(text string) (all []string, err error) {
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range text + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("split %q: a quote is not closed", text)
	}
	return all, nil
}

// readSuites reads every file, with the settings of each case filled in.
func readSuites(t *testing.T) []suite {
	t.Helper()
	names, err := filepath.Glob("../../fixtures/conformance/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	var all []suite
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s := suite{name: strings.TrimSuffix(filepath.Base(name), ".yaml")}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.complete(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, s)
	}
	return all
}

const (
	defaultQuiet = time.Second
	defaultWait  = 8 * time.Second
)

func (s *suite) complete() error {
	seen := map[string]bool{}
	for i := range s.Cases {
		c := &s.Cases[i]
		if len(c.Run) == 0 && c.Shell == "" && len(c.Entrypoint) == 0 || len(c.Run) > 0 && c.Shell != "" {
			return fmt.Errorf("case %d has no command, or two", i)
		}
		c.Env = slices.Concat(s.Env, c.Env)
		files := map[string]string{}
		for _, from := range []map[string]string{s.Files, c.Files} {
			for name, text := range from {
				if !path.IsAbs(name) {
					return fmt.Errorf("file %q: not absolute", name)
				}
				files[path.Clean(name)] = text
			}
		}
		c.Files = files
		c.Dir = cmp.Or(c.Dir, s.Dir)
		c.User = cmp.Or(c.User, s.User)
		c.Quiet = cmp.Or(c.Quiet, s.Quiet, defaultQuiet)
		c.Wait = cmp.Or(c.Wait, s.Wait, defaultWait)
		key := fmt.Sprintf("%q %q %q %q", c.name(), c.Entrypoint, c.Run, fmt.Sprint(c.Files, c.User, c.Dir))
		if seen[key] {
			return fmt.Errorf("case %q stands there twice", c.name())
		}
		seen[key] = true
	}
	return nil
}

// name is how a reader knows a case.
func (c *testCase) name() string {
	text := strings.Join(append(slices.Clone(c.Entrypoint), c.Run...), " ")
	if c.Shell != "" {
		text = strings.TrimSpace(text + " sh: " + c.Shell)
	}
	return strings.TrimSpace(strings.Join(c.Env, " ") + " " + text)
}

// config is the image's config, over that of its root.
func (c *testCase) config(base facts.Config) facts.Config {
	base.Entrypoint, base.Cmd = c.Entrypoint, c.Run
	if c.Shell != "" {
		base.Cmd = []string{"/bin/sh", "-c", c.Shell}
	}
	base.Env = slices.Concat(base.Env, c.Env)
	base.WorkingDir = c.Dir
	base.User = c.User
	return base
}
