package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/imglint/imglint/pkg/config"
	"github.com/imglint/imglint/pkg/ignore"
	"github.com/imglint/imglint/pkg/platform"
	"github.com/imglint/imglint/rules"
)

// settings are what a call comes to from its flags, the IMGLINT_* variables
// and the config file.
type settings struct {
	typed  *pflag.FlagSet
	getenv func(string) string
	file   *config.File // never nil
	now    time.Time
	// standIns are Dockerfiles that are checked for want of the image: the
	// images' names, in the order in which they are checked.
	standIns map[string][]string
	// words are those after --, which replace the images' CMD; nil: none were typed.
	words []string
	// platforms are the config file's own.
	platforms ownPlatforms
	// program is imglint's own, "" when it is not to start itself.
	program string
}

// folder is where the config file is, else the working directory.
func (s *settings) folder() string {
	if s.file.Dir == "" {
		return "."
	}
	return shortest(s.file.Dir)
}

// standIn makes the settings of an image hold for its Dockerfile.
func (s *settings) standIn(dockerfile, image string) {
	if s.standIns == nil {
		s.standIns = map[string][]string{}
	}
	s.standIns[dockerfile] = append(s.standIns[dockerfile], image)
}

// origin tells for each flag which values it was given and where, the one that
// holds last.
type origin map[string][]given

type given struct{ where, value string }

// additive flags keep what every layer says, the most general first, so that
// a later variable replaces an earlier one.
var additive = []string{"build-arg", "build-context", "env", "env-file", "ignore", "volume"}

// pathFlags name files; in a config file they are relative to its folder.
var pathFlags = []string{"context", "dockerfile", "env-file", "manifest"}

// settle finds the config file and reads it; its errors are usage errors.
func settle(typed *pflag.FlagSet, io IO) (*settings, error) {
	s := &settings{typed: typed, getenv: io.Getenv, file: &config.File{}, now: time.Now(), program: io.Program}
	name, _ := typed.GetString("config")
	if name == "" {
		name = io.Getenv("IMGLINT_CONFIG")
	}
	var err error
	if name == "" {
		if name, err = config.Find("."); err != nil || name == "" {
			return s, asUsage(err)
		}
	}
	if s.file, err = config.Read(name, knownNames()); err != nil {
		return nil, asUsage(err)
	}
	if s.platforms, err = extended(s.file); err != nil {
		return nil, asUsage(err)
	}
	return s, nil
}

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &statusError{ExitUsage, err}
}

func knownNames() config.Known {
	known := config.Known{Platforms: platform.Names()}
	for _, r := range rules.All {
		known.Rules = append(known.Rules, r.ID)
	}
	return known
}

// layer is one place that values come from.
type layer struct {
	from     string
	settings config.Settings
}

// flags returns the flags that hold for an image; nil is for what holds for all.
func (s *settings) flags(image *config.Image) (*flags, error) {
	f, _, _, err := s.resolve(image)
	return f, err
}

func (s *settings) resolve(image *config.Image) (*flags, *pflag.FlagSet, origin, error) {
	f, cmd := &flags{own: s.platforms}, &cobra.Command{}
	f.register(cmd)
	layers := []layer{{s.file.Name, s.file.Settings}}
	if image != nil {
		layers = append(layers, layer{s.file.Name, image.Settings})
	}
	layers = append(layers, layer{"environment", s.environment(cmd.Flags())}, layer{"flag", s.flagsTyped()})
	from := origin{}
	for _, l := range layers {
		for name, setting := range l.settings {
			if err := s.apply(cmd.Flags(), l, name, setting); err != nil {
				return nil, nil, nil, err
			}
			from[name] = append(from[name], given{l.where(name, setting), valueText(name, setting.Values)})
		}
		f.variables = append(f.variables, s.variablesOf(l))
	}
	return f, cmd.Flags(), from, nil
}

func (l layer) where(name string, setting config.Setting) string {
	switch {
	case setting.Line > 0:
		return fmt.Sprintf("%s:%d", l.from, setting.Line)
	case l.from == "environment":
		return variableName(name)
	}
	return "--" + name
}

// apply sets one flag. A flag that this build does not have is an error of the
// config file, which alone can name one.
func (s *settings) apply(set *pflag.FlagSet, l layer, name string, setting config.Setting) error {
	flag := set.Lookup(name)
	if flag == nil {
		return usage("%s: %s: this version of imglint cannot do that", l.where(name, setting), name)
	}
	values := setting.Values
	if setting.Line > 0 && slices.Contains(pathFlags, name) {
		values = s.beside(values)
	}
	if list, ok := flag.Value.(pflag.SliceValue); ok && !slices.Contains(additive, name) {
		if err := list.Replace(values); err != nil {
			return usage("%s: %w", l.where(name, setting), err)
		}
		return nil
	}
	for _, value := range values {
		if err := set.Set(name, value); err != nil {
			return usage("%s: %w", l.where(name, setting), err)
		}
	}
	return nil
}

// beside makes paths of the config file relative to the working directory.
func (s *settings) beside(paths []string) []string {
	var all []string
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			p = shortest(filepath.Join(s.file.Dir, p))
		}
		all = append(all, p)
	}
	return all
}

// shortest is a path as seen from the working directory, if that is shorter.
func shortest(path string) string {
	here, err := os.Getwd()
	if err != nil || !filepath.IsAbs(path) {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// variableName is the variable that stands for a flag.
func variableName(flag string) string {
	return "IMGLINT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment reads the IMGLINT_* variables; of those for repeatable flags
// each line is a value.
func (s *settings) environment(set *pflag.FlagSet) config.Settings {
	found := config.Settings{}
	set.VisitAll(func(flag *pflag.Flag) {
		text := s.getenv(variableName(flag.Name))
		if text == "" || flag.Name == "config" {
			return
		}
		values := []string{text}
		if _, ok := flag.Value.(pflag.SliceValue); ok {
			values = strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
		}
		found[flag.Name] = config.Setting{Values: values}
	})
	return found
}

// flagsTyped are the flags of the command line.
func (s *settings) flagsTyped() config.Settings {
	found := config.Settings{}
	s.typed.Visit(func(flag *pflag.Flag) {
		if flag.Name == "help" {
			return
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		found[flag.Name] = config.Setting{Values: values}
	})
	return found
}

// ignores splits the config file's ignores into those that hold and what
// there is to say about the others.
func (s *settings) ignores() (hold []ignore.Ignore, expired []string) {
	for _, i := range s.file.Ignores {
		if i.Expired(s.now) {
			expired = append(expired, fmt.Sprintf("%s: ignore %s ended on %s", i.From, i.Rule, i.Until.Format(time.DateOnly)))
			continue
		}
		hold = append(hold, i)
	}
	return hold, expired
}
