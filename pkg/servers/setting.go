package servers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// maxConf bounds the reading of a configuration file; redis.conf has 105 KB as
// it is shipped.
const maxConf = 256 << 10

// resolve finds a setting's value: flags, environment, file, default.
func (run *invocation) resolve(set setting) found {
	if o := run.option(set.Flags); o != nil {
		value := o.value
		if o.at < 0 {
			value = set.Bare
		}
		return found{text: value, from: o.name, explicit: true, err: run.known(o)}
	}
	if set.Positional != nil && *set.Positional < len(run.args) {
		return run.argument(*set.Positional)
	}
	for _, name := range set.Env {
		if slices.Contains(run.command.EnvUnknown, name) {
			return found{from: "env " + name, explicit: true, err: fmt.Errorf("only a run can tell what a script sets %s to", name)}
		}
		if value, ok := run.env[name]; ok && value != "" {
			return found{text: value, from: "env " + name, explicit: true}
		}
	}
	if values := run.configured(set.Conf); len(values) > 0 {
		return values[len(values)-1]
	}
	from := run.server.Title + "'s default"
	if d := set.Development; d != nil && run.inDevelopment(d) {
		return found{text: d.Default, from: from + " in development"}
	}
	return found{text: set.Default, from: from}
}

func (run *invocation) argument(n int) found {
	i := run.args[n]
	v := found{text: run.word(i), from: "its argument", explicit: true}
	v.err = run.known(&option{index: i, at: -1})
	if v.err == nil && run.strange != "" {
		v.err = fmt.Errorf("%s, which the catalogue does not know, may take %s for its value", run.strange, v.text)
	}
	return v
}

// resolveAll finds every address of a bind.
func (run *invocation) resolveAll(b *bind) []found {
	var all []found
	if b.Append {
		for i := range run.options {
			if o := &run.options[i]; run.option(b.Flags) != nil && contains(b.Flags, o.name) {
				all = append(all, found{text: o.value, from: o.name, explicit: true, err: run.known(o)})
			}
		}
	}
	if b.Adds {
		all = append(all, run.configured(b.Conf)...)
	}
	if len(all) > 0 {
		return all
	}
	if v := run.resolve(withoutConf(b.setting)); v.explicit {
		return []found{v}
	}
	if values := run.configured(b.Conf); len(values) > 0 {
		return values
	}
	return []found{run.resolve(b.setting)}
}

func withoutConf(set setting) setting {
	set.Conf = nil
	return set
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func (run *invocation) inDevelopment(d *development) bool {
	if o := run.option(d.Flags); o != nil {
		return o.value == "development"
	}
	for _, name := range d.Env {
		if value := run.env[name]; value != "" {
			return value == "development"
		}
	}
	return true
}

// configured reads the values of a configuration file; one value with an
// error when the file cannot be judged.
func (run *invocation) configured(c *conf) []found {
	if c == nil {
		return nil
	}
	file, text, err := run.confFile(c)
	if err != nil {
		return []found{{err: err}}
	}
	if file == "" {
		return nil
	}
	if c.Unless != "" && regexp.MustCompile(c.Unless).MatchString(text) {
		return []found{{err: fmt.Errorf("%s holds more than imglint reads", file)}}
	}
	if c.Include != "" || c.Section != "" {
		return run.configuredLines(c, file)
	}
	var all []found
	for _, m := range regexp.MustCompile(c.Pattern).FindAllStringSubmatchIndex(text, -1) {
		from, to := m[0], m[1]
		if len(m) > 2 && m[2] >= 0 {
			from, to = m[2], m[3]
		}
		line := 1 + strings.Count(text[:from], "\n")
		value := strings.Trim(strings.TrimSpace(text[from:to]), `"'`)
		all = append(all, found{text: value, from: fmt.Sprintf("%s:%d", file, line), explicit: true})
	}
	if len(all) > 0 && !c.All {
		all = all[len(all)-1:]
	}
	return all
}

// confFile finds and reads a configuration file. file is "" when there is none.
func (run *invocation) confFile(c *conf) (file, text string, err error) {
	names, named := c.Files, false
	if o := run.option(c.Flags); o != nil {
		names, named = []string{strings.TrimPrefix(o.value, "file:")}, true
	} else if c.Positional != nil && *c.Positional < len(run.args) && (c.Anywhere || run.args[*c.Positional] == run.first+*c.Positional) {
		names, named = []string{run.word(run.args[*c.Positional])}, true
	}
	if c.Required && !named {
		return "", "", nil
	}
	for _, name := range names {
		file := run.absolute(name)
		text, err := run.read(file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !named:
			continue
		case err != nil:
			return "", "", fmt.Errorf("%s may decide and was not read: %w", file, err)
		}
		return file, text, nil
	}
	return "", "", nil
}

func (run *invocation) absolute(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(orElse(run.command.Dir, "/"), name)
}

// read reads a small file. Files that commands write before the server starts
// are not what the image holds.
func (run *invocation) read(file string) (string, error) {
	if why := run.touched(file); why != "" {
		return "", errors.New(why)
	}
	if run.command.Dir == "" && !path.IsAbs(file) || run.files == nil {
		return "", facts.ErrNotExamined
	}
	in, err := run.files.Open(strings.TrimPrefix(file, "/"))
	if err != nil {
		return "", err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(in, maxConf+1))
	if err == nil && len(text) > maxConf {
		err = errors.New("it is too large")
	}
	return string(text), err
}

// mayHold says why a file may decide a setting, "" when it cannot.
func (run *invocation) mayHold(name string, keys []string) string {
	file := run.absolute(name)
	text, err := run.read(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		return fmt.Sprintf("%s may decide and was not read: %v", file, err)
	}
	for _, key := range keys {
		if regexp.MustCompile(key).MatchString(text) {
			return fmt.Sprintf("%s may decide", file)
		}
	}
	if len(keys) == 0 {
		return fmt.Sprintf("%s may decide", file)
	}
	return ""
}
