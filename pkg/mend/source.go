package mend

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// most bounds how many places of a program's source are offered: each is run.
const most = 3

// extensions are those of source that its interpreter reads at every start.
var extensions = map[string]bool{".py": true, ".js": true, ".mjs": true, ".cjs": true, ".ts": true, ".rb": true, ".php": true, ".pl": true}

var (
	quotedLoopback = regexp.MustCompile("([\"'`])(?:https?://)?(127\\.0\\.0\\.1|localhost|::1)(?::\\d+)?[\"'`]")
	// listening is on lines where a program is likely to say where it listens.
	listening = regexp.MustCompile(`(?i)listen|bind|serve|host|addr|run\(`)
)

// Loopback lists the edits of the program's own source that change a quoted
// loopback address to all interfaces, the likeliest first. Which one it is,
// only a run can tell: localhost may be a database as well.
func Loopback(files fs.FS, l facts.Launch) []finding.FileEdit {
	return inSource(files, l, quotedLoopback, 2, "0.0.0.0")
}

// Port lists the edits of the program's own source that change a port, the
// likeliest first.
func Port(files fs.FS, l facts.Launch, from, to int) []finding.FileEdit {
	number := regexp.MustCompile(`(?:^|[^\w.])(` + strconv.Itoa(from) + `)(?:$|[^\w.])`)
	return inSource(files, l, number, 1, strconv.Itoa(to))
}

func inSource(files fs.FS, l facts.Launch, pattern *regexp.Regexp, group int, to string) []finding.FileEdit {
	name := sourceOf(l.Command)
	text, ok := read(files, name)
	if name == "" || !ok {
		return nil
	}
	var likely, others []finding.FileEdit
	for i, line := range strings.Split(text, "\n") {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") || strings.HasPrefix(trimmed, "*") {
			continue
		}
		for _, m := range pattern.FindAllStringSubmatchIndex(line, -1) {
			from, end := m[2*group], m[2*group+1]
			e := finding.FileEdit{Path: name, Line: i + 1, Column: from + 1, Old: line[from:end], New: to}
			if listening.MatchString(line[:from] + line[end:]) {
				likely = append(likely, e)
			} else {
				others = append(others, e)
			}
		}
	}
	all := slices.Concat(likely, others)
	return all[:min(len(all), most)]
}

// sourceOf is the file of source that a command runs, "" when there is none.
func sourceOf(c facts.Command) string {
	for i, w := range c.Argv {
		if !w.Known || i > 0 && strings.HasPrefix(c.Argv[i-1].Text, "-") && len(c.Argv[i-1].Text) == 2 && !interpretedAfter[c.Argv[i-1].Text] {
			continue
		}
		if extensions[path.Ext(w.Text)] {
			if path.IsAbs(w.Text) {
				return path.Clean(w.Text)
			}
			if c.Dir != "" {
				return path.Join(c.Dir, w.Text)
			}
		}
	}
	return ""
}

// interpretedAfter are one-letter options without a value of their own.
var interpretedAfter = map[string]bool{"-u": true, "-B": true, "-O": true, "-E": true, "-s": true, "-I": true}
