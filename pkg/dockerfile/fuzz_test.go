package dockerfile

import (
	"context"
	"strings"
	"testing"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// FuzzMatch feeds any Dockerfile and any history: no panic, no place outside
// the file, and an image computed from a Dockerfile is one built from it.
func FuzzMatch(f *testing.F) {
	for _, b := range builds {
		f.Add(b.dockerfile, "/bin/sh -c #(nop)  CMD [\"a\" \"b\"]")
	}
	f.Add("FROM a\nRUN <<EOF\nx\nEOF\nCMD x", "CMD [\"/bin/sh\" \"-c\" \"x\"]")
	f.Add(" # escape=`\nFROM a\nCMD x", "RUN |1 A=b /bin/sh -c x # buildkit")
	f.Fuzz(func(t *testing.T, src, entry string) {
		img := facts.Image{History: []facts.History{{CreatedBy: entry}}, Config: facts.Config{Cmd: []string{"a"}, Env: []string{"A=b"}}}
		FromHistory(img)
		lines := len(splitLines(src))
		if d, err := Match(context.Background(), "Dockerfile", []byte(src), img, Options{}); err == nil {
			for field := range d.Fields {
				if p := Place(d, img, finding.Place{Field: field, Words: "a"}); p.Line < 0 || p.EndLine > lines {
					t.Errorf("%s is placed at %d-%d of %d lines", field, p.Line, p.EndLine, lines)
				}
			}
		}
		// A $ may expand to anything, a file name included.
		computed, d, err := Compute(context.Background(), []byte(src), Options{})
		if err != nil || strings.Contains(src, "$") || strings.Contains(strings.ToUpper(src), "ONBUILD") {
			return
		}
		if _, err := Match(context.Background(), "Dockerfile", []byte(src), computed, Options{}); err != nil && len(d.Fields) > 1 {
			t.Errorf("Match refuses what Compute made: %v", err)
		}
	})
}

// FuzzHistory feeds any history: no panic, and no place outside what it shows.
func FuzzHistory(f *testing.F) {
	for _, entry := range []string{
		"/bin/sh -c #(nop)  CMD [\"a\" \"b\"]", "CMD [\"a\",\"b\"]", "EXPOSE map[80/tcp:{} 81/udp:{}]", "EXPOSE [80/tcp]", "ENV A=b c",
		"HEALTHCHECK &{[\"CMD\"] \"1s\"}", "|1 A=b /bin/sh -c x", "/bin/sh -c #(nop) ", "CMD [\"\\u00", "STOPSIGNAL SIGINT", "ENTRYPOINT [\"\"",
	} {
		f.Add(entry, "a")
	}
	f.Fuzz(func(t *testing.T, entry, words string) {
		img := facts.Image{History: []facts.History{{CreatedBy: entry}, {CreatedBy: "CMD x"}}, Config: facts.Config{
			Entrypoint: []string{words}, Cmd: []string{"a", "b"}, Env: []string{"A=b c"}, User: words, StopSignal: "SIGINT",
			Exposed: []facts.Port{{Number: 80, Protocol: "tcp"}}, Healthcheck: &facts.Healthcheck{Test: []string{"CMD", words}},
		}}
		for _, o := range FromHistory(img) {
			p := Place(nil, img, finding.Place{Field: o.Field, Words: words})
			if p.EndColumn > len(p.Source)+1 || p.Column < 0 || p.Column > p.EndColumn {
				t.Errorf("%s %q in %q is placed at %d-%d", o.Field, words, p.Source, p.Column, p.EndColumn)
			}
		}
	})
}

// FuzzReadProvenance feeds any attestation: no panic, and an answer holds a Dockerfile.
func FuzzReadProvenance(f *testing.F) {
	f.Add([]byte(`{"predicate":{"metadata":{"https://mobyproject.org/buildkit@v1#metadata":{"source":{"infos":[{"filename":"Dockerfile","data":"RlJPTSBh"}]}}}}}`))
	f.Add([]byte(`{"predicate":{"runDetails":{"metadata":{"buildkit_metadata":{"source":{"infos":[{"language":"Dockerfile","data":"RlJPTSBh"}]}}}},"buildDefinition":{"externalParameters":{"request":{"args":{"target":"a","build-arg:B":"c"}}}}}}`))
	f.Add([]byte(`{"predicate":{"metadata":{"https://mobyproject.org/buildkit@v1#metadata":[]}}}`))
	f.Add([]byte(`{"predicate":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ReadProvenance(text)
		if err == nil && len(p.Source) == 0 {
			t.Errorf("%q: no error and no Dockerfile", text)
		}
	})
}

// FuzzLocate: the place found is where the words are.
func FuzzLocate(f *testing.F) {
	f.Add("CMD [\"a\", \"b\"]", "a b")
	f.Add("CMD a \\\n # x\n b", "b")
	f.Fuzz(func(t *testing.T, text, words string) {
		s, ok := locate(text, words)
		if !ok {
			return
		}
		lines := strings.Split(text, "\n")
		if s.line < 0 || s.endLine < s.line || s.endLine >= len(lines) || s.column < 1 || s.endColumn < 1 ||
			s.column > len(lines[s.line])+1 || s.endColumn > len(lines[s.endLine])+1 {
			t.Errorf("%q in %q: %+v is outside", words, text, s)
		}
	})
}
