package rules

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/imglint/imglint/pkg/facts"
)

// This file reads the log for the rules about what an image lacks.

//go:embed logs.yaml
var logText string

// logPattern is one entry of logs.yaml.
type logPattern struct {
	Source  string   `yaml:"source"`
	Pattern string   `yaml:"pattern"`
	After   string   `yaml:"after"`
	As      string   `yaml:"as"`
	Samples []string `yaml:"samples"`
	Says    string   `yaml:"says"`
	Fix     string   `yaml:"fix"`

	line, before *regexp.Regexp
}

// logPatterns is logs.yaml.
type logPatterns struct {
	Environment []*logPattern `yaml:"environment"`
	Dependency  []*logPattern `yaml:"dependency"`
	Ended       []*logPattern `yaml:"ended"`
	Not         []string      `yaml:"not"`
}

var patterns = sync.OnceValue(func() logPatterns {
	p, err := parsePatterns(logText)
	if err != nil {
		panic(err) // the file is part of the program, and a test reads it
	}
	return p
})

func parsePatterns(text string) (logPatterns, error) {
	var all logPatterns
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&all); err != nil {
		return all, fmt.Errorf("read log patterns: %w", err)
	}
	for _, list := range [][]*logPattern{all.Environment, all.Dependency, all.Ended} {
		for _, p := range list {
			if err := p.compile(); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

func (p *logPattern) compile() (err error) {
	if p.line, err = regexp.Compile(p.Pattern); err != nil {
		return fmt.Errorf("log pattern of %s: %w", p.Source, err)
	}
	if p.After != "" {
		p.before, err = regexp.Compile(p.After)
	}
	return err
}

// mention is a line of the log that a pattern recognised.
type mention struct {
	line    facts.LogLine
	words   map[string]string // the pattern's named groups
	pattern *logPattern
}

// colours are what some programs write also where nobody sees them.
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// variable is the environment variable that a name in the log stands for.
func (m mention) variable() string {
	name := m.words["name"]
	switch m.pattern.As {
	case "connection string": // https://learn.microsoft.com/aspnet/core/fundamentals/configuration
		return "ConnectionStrings__" + name
	case "section":
		return strings.ReplaceAll(name, ":", "__")
	case "property": // MicroProfile Config 5.3.1: in upper case, with _ for other characters
		return notInVariables.ReplaceAllString(strings.ToUpper(name), "_")
	}
	return name
}

var notInVariables = regexp.MustCompile(`[^A-Z0-9_]`)

// mentioned returns the first line that one of the patterns recognises.
func mentioned(list []*logPattern, lines []facts.LogLine) (mention, bool) {
	for i, line := range lines {
		text := colours.ReplaceAllString(line.Text, "")
		for _, p := range list {
			found := p.line.FindStringSubmatch(text)
			if found == nil || p.before != nil && !anyLine(p.before, lines[:i]) {
				continue
			}
			m := mention{line: line, words: map[string]string{}, pattern: p}
			for n, name := range p.line.SubexpNames() {
				if name != "" {
					m.words[name] = found[n]
				}
			}
			return m, true
		}
	}
	return mention{}, false
}

func anyLine(re *regexp.Regexp, lines []facts.LogLine) bool {
	for _, line := range lines {
		if re.MatchString(colours.ReplaceAllString(line.Text, "")) {
			return true
		}
	}
	return false
}
