package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// maxConfFiles and maxConfDepth bound what is read of an image for one server;
// Debian's apache with some modules has 60 files.
const (
	maxConfFiles = 200
	maxConfDepth = 8
)

// confLine is one line of a configuration, and where it stands.
type confLine struct {
	text string // without blanks around
	file string
	line int
}

func (l confLine) from() string { return fmt.Sprintf("%s:%d", l.file, l.line) }

// confLines reads a configuration of lines. What include finds in a line, a
// file or a pattern, is read in its place; names are relative to the main
// file's directory. Empty lines and comments that start with # are left out.
func (run *invocation) confLines(file string, include *regexp.Regexp) ([]confLine, error) {
	r := lineReader{run: run, include: include, dir: path.Dir(file)}
	return r.read(file, 0)
}

type lineReader struct {
	run     *invocation
	include *regexp.Regexp // group 1 is the name
	suffix  string         // added to a directory
	dir     string
	files   int
}

func (r *lineReader) read(file string, depth int) ([]confLine, error) {
	r.files++
	if r.files > maxConfFiles || depth > maxConfDepth {
		return nil, errors.New("there are too many configuration files")
	}
	text, err := r.run.read(file)
	if err != nil {
		return nil, fmt.Errorf("%s may decide and was not read: %w", file, err)
	}
	var all []confLine
	for i, line := range strings.Split(text, "\n") {
		l := confLine{strings.TrimSpace(line), file, i + 1}
		if l.text == "" || l.text[0] == '#' {
			continue
		}
		m := r.include.FindStringSubmatch(l.text)
		if m == nil {
			all = append(all, l)
			continue
		}
		included, err := r.included(m[1], depth)
		if err != nil {
			return nil, err
		}
		all = append(all, included...)
	}
	return all, nil
}

func (r *lineReader) included(name string, depth int) ([]confLine, error) {
	if !path.IsAbs(name) {
		name = path.Join(r.dir, name)
	}
	if r.suffix != "" && r.run.files != nil {
		if info, err := fs.Stat(r.run.files, strings.Trim(name, "/")); err == nil && info.IsDir() {
			name = path.Join(name, r.suffix)
		}
	}
	names := []string{name}
	if strings.ContainsAny(name, "*?[") {
		var err error
		if names, err = r.run.glob(name); err != nil {
			return nil, fmt.Errorf("%s was not listed: %w", name, err)
		}
	}
	var all []confLine
	for _, name := range names {
		lines, err := r.read(name, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}

var (
	never      = regexp.MustCompile(`$^`)
	confHeader = regexp.MustCompile(`^\[([^\]]+)\]`)
)

// configuredLines reads the values of a configuration that is spread over
// files, or over sections.
func (run *invocation) configuredLines(c *conf, file string) (all []found) {
	reader := lineReader{run: run, include: never, suffix: c.Suffix, dir: path.Dir(file)}
	if c.Include != "" {
		reader.include = regexp.MustCompile(c.Include)
	}
	lines, err := reader.read(file, 0)
	if err != nil {
		return []found{{err: err}}
	}
	pattern, section, in := regexp.MustCompile(c.Pattern), regexp.MustCompile(c.Section), map[string]string{}
	for _, l := range lines {
		if m := confHeader.FindStringSubmatch(l.text); m != nil {
			in[l.file] = m[1]
		}
		if c.Section != "" && !section.MatchString(in[l.file]) {
			continue
		}
		if c.Unless != "" && regexp.MustCompile(c.Unless).MatchString(l.text) {
			return []found{{err: fmt.Errorf("%s holds more than imglint reads", l.from())}}
		}
		if m := pattern.FindStringSubmatch(l.text); m != nil {
			all = append(all, found{text: strings.Trim(strings.TrimSpace(m[len(m)-1]), `"'`), from: l.from(), explicit: true})
		}
	}
	if len(all) > 0 && !c.All {
		all = all[len(all)-1:]
	}
	return all
}

// glob lists files; fs.Glob would hide that a directory was not examined.
func (run *invocation) glob(pattern string) ([]string, error) {
	dir, base := path.Split(pattern)
	if strings.ContainsAny(dir, "*?[") {
		return nil, errors.New("a directory is a pattern")
	}
	if run.files == nil {
		return nil, errors.New("not examined")
	}
	entries, err := run.list(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if ok, err := path.Match(base, e.Name()); ok && err == nil && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, dir+e.Name())
		}
	}
	return files, nil
}
