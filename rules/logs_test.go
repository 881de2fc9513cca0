package rules

import (
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
)

func logLines(text string) []facts.LogLine {
	var lines []facts.LogLine
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, facts.LogLine{Text: line})
	}
	return lines
}

// TestLogPatterns holds every pattern against its samples and the lines that
// mean nothing.
func TestLogPatterns(t *testing.T) {
	t.Parallel()
	all, err := parsePatterns(logText)
	if err != nil {
		t.Fatal(err)
	}
	for kind, list := range map[string][]*logPattern{"environment": all.Environment, "dependency": all.Dependency, "ended": all.Ended} {
		for _, p := range list {
			if len(p.Samples) == 0 {
				t.Errorf("%s: %s has no sample", kind, p.Source)
			}
			for _, sample := range p.Samples {
				m, ok := mentioned([]*logPattern{p}, logLines(sample))
				switch {
				case !ok:
					t.Errorf("%s: %s does not recognise %q", kind, p.Source, sample)
				case kind == "environment" && m.words["name"] == "":
					t.Errorf("%s names no variable in %q", p.Source, sample)
				case kind == "dependency" && m.words["why"] == "":
					t.Errorf("%s gives no reason in %q", p.Source, sample)
				case kind == "ended" && m.pattern.Says == "":
					t.Errorf("%s does not say what %q means", p.Source, sample)
				}
			}
			for _, line := range all.Not {
				if _, ok := mentioned([]*logPattern{p}, logLines(line)); ok {
					t.Errorf("%s: %s recognises %q", kind, p.Source, line)
				}
			}
		}
	}
}

// TestKeyErrorAlone: without the environment in the trace it is somebody's dictionary.
func TestKeyErrorAlone(t *testing.T) {
	t.Parallel()
	if m, ok := mentioned(patterns().Environment, logLines("File \"/srv/app.py\", line 3\nKeyError: 'TITLE'")); ok {
		t.Errorf("took %q for a variable", m.words["name"])
	}
}
