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

// TestVariable holds what a name stands for, where that is not a variable's own.
func TestVariable(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"KeyError: 'X'": "",
		"System.InvalidOperationException: Connection string 'Shop' not found.":                                                  "ConnectionStrings__Shop",
		"System.InvalidOperationException: Section 'Smtp:Host' not found in configuration.":                                      "Smtp__Host",
		"SRCFG00014: The config property quarkus.datasource.jdbc-url is required but it could not be found in any config source": "QUARKUS_DATASOURCE_JDBC_URL",
		"\x1b[31mError: DATABASE_URL is not set\x1b[0m":                                                                          "DATABASE_URL",
	} {
		m, ok := mentioned(patterns().Environment, logLines(line))
		if got := ""; ok != (want != "") {
			t.Errorf("%q: recognised: %v", line, ok)
		} else if ok {
			if got = m.variable(); got != want {
				t.Errorf("%q: %q, want %q", line, got, want)
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
