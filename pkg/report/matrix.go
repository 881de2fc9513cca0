package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/imglint/imglint/pkg/finding"
)

// Row is what one platform makes of an image.
type Row struct {
	Platform string          `json:"platform"`
	Service  string          `json:"service,omitempty"` // of a Procfile
	Verdict  finding.Verdict `json:"verdict"`
	Basis    finding.Basis   `json:"basis,omitempty"`
	Asks     string          `json:"asks"` // what the platform asks, in words
	// Reason is the first cause, or what was seen when there is none.
	Reason string `json:"reason"`
	Rule   string `json:"rule,omitempty"`
	Change string `json:"change,omitempty"` // what to change; "" when nothing
	Says   string `json:"says,omitempty"`   // what its user will read there
	// Assumed is what the platform does not document and imglint chose.
	Assumed []string `json:"assumed,omitempty"`
}

// Matrix is one image on several platforms.
type Matrix struct {
	Image string `json:"image"`
	Rows  []Row  `json:"rows"`
}

// NewMatrix condenses the results of one image, one a platform.
func NewMatrix(results []Result) Matrix {
	m := Matrix{Rows: []Row{}}
	for _, r := range results {
		m.Image = r.Ref
		if r.Facts != nil {
			m.Rows = append(m.Rows, row(r))
		}
	}
	return m
}

func row(r Result) Row {
	t := r.Facts.Target
	out := Row{Platform: t.Platform, Service: t.Service, Verdict: r.Verdict, Basis: r.Basis, Asks: "no port"}
	out.Assumed = t.Assumed
	out.Reason = strings.TrimPrefix(r.Reason, "the release health check will pass: ")
	if t.Endpoint.Port != 0 {
		out.Asks = fmt.Sprintf("%d %s %s", t.Endpoint.Port, t.Probe.Path, t.Probe.Accepted())
		if t.Probe.TCP {
			out.Asks = fmt.Sprintf("%d %s", t.Endpoint.Port, t.Probe.Accepted())
		}
	}
	f, ok := firstCause(r)
	if !ok {
		return out
	}
	out.Reason, out.Rule = f.Message, f.Rule
	if f.Fix != nil {
		out.Change = cmp.Or(f.Fix.Instruction, f.Fix.Description)
	}
	for _, e := range f.Evidence {
		if e.Kind == "says" {
			_, out.Says, _ = strings.Cut(e.Text, " will say: ")
		}
	}
	return out
}

// firstCause is the first error; on a platform without one, the first warning,
// which is worth changing all the same.
func firstCause(r Result) (finding.Finding, bool) {
	for _, level := range []finding.Severity{finding.Error, finding.Warning} {
		for _, f := range r.Findings {
			if f.Severity == level && (level == finding.Error || r.Verdict != finding.Pass) {
				return f, true
			}
		}
	}
	return finding.Finding{}, false
}

// MatrixText writes one image's matrix for a person to read.
func MatrixText(w io.Writer, results []Result, style Style) error {
	m := NewMatrix(results)
	t := textWriter{style: style}
	for _, r := range results {
		if r.Facts != nil {
			t.line("%s  %s  %s\n", style.paint(bold, clean(r.Ref)), short(r.Facts.Image), clean(r.Facts.Image.Platform()))
			break
		}
	}
	name, asks := 0, 0
	for _, r := range m.Rows {
		name, asks = max(name, len(r.name())), max(asks, utf8.RuneCountInString(r.Asks))
	}
	counts := map[finding.Verdict]int{}
	for i, r := range m.Rows {
		counts[r.Verdict]++
		t.line("%-*s  %s  %-*s  %s", name, r.name(), style.word(r.Verdict), asks, clean(r.Asks), clean(r.Reason)+tag(style, r.Rule))
		indent := strings.Repeat(" ", name+2)
		if style.Verbose && len(r.Assumed) > 0 {
			t.line("%s%s  %s", indent, style.paint(dim, "assumed"), clean(strings.Join(r.Assumed, "; ")))
		}
		if repeated(m.Rows[:i], r) {
			continue
		}
		if r.Change != "" {
			t.line("%s%s  %s", indent, style.paint(green, "fix    "), clean(r.Change))
		}
		if r.Says != "" {
			t.line("%s%s  %s", indent, style.paint(dim, "says   "), clean(r.Says))
		}
	}
	t.notChecked(shared(results))
	t.line("\n%s", style.paint(dim, fmt.Sprintf("%d pass, %d fail, %d unknown · imglint --platform NAME says more", counts[finding.Pass], counts[finding.Fail], counts[finding.Unknown])))
	_, err := io.WriteString(w, t.b.String())
	return err
}

func (r Row) name() string {
	if r.Service == "" {
		return r.Platform
	}
	return r.Platform + " " + r.Service
}

func (s Style) word(v finding.Verdict) string {
	text := fmt.Sprintf("%-7s", strings.ToUpper(string(v)))
	switch v {
	case finding.Pass:
		return s.paint(green, text)
	case finding.Fail:
		return s.paint(red, text)
	}
	return s.paint(yellow, text)
}

func tag(style Style, rule string) string {
	if rule == "" {
		return ""
	}
	return " " + style.paint(dim, "["+rule+"]")
}

// repeated reports whether the row before last says the same to change: it is
// said once.
func repeated(before []Row, r Row) bool {
	return len(before) > 0 && before[len(before)-1].Change == r.Change && before[len(before)-1].Says == r.Says
}

// shared is a result that holds what was not checked for any platform, once.
func shared(results []Result) Result {
	var all Result
	seen := map[finding.NotChecked]bool{}
	for _, r := range results {
		for _, n := range r.NotChecked {
			if !seen[n] {
				seen[n] = true
				all.NotChecked = append(all.NotChecked, n)
			}
		}
	}
	return all
}

// matrixDocument is a Document with the matrix of each image.
type matrixDocument struct {
	Document
	Matrix []Matrix `json:"matrix"`
}

// MatrixJSON writes all results, grouped by image, and each image's matrix.
func MatrixJSON(w io.Writer, images [][]Result) error {
	doc := matrixDocument{Document: Document{Version: Version, Images: []Image{}}, Matrix: []Matrix{}}
	for _, results := range images {
		for _, r := range results {
			doc.Images = append(doc.Images, document(r))
		}
		doc.Matrix = append(doc.Matrix, NewMatrix(results))
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
