package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
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
	// Verified tells whether the image passed with the change; nil: it was not
	// tried. Proof is what was seen.
	Verified *bool  `json:"verified,omitempty"`
	Proof    string `json:"proof,omitempty"`
	// RestsOn is what the verdict assumes of what the platform does not document.
	RestsOn []string `json:"restsOn,omitempty"`
	// Assumed is what the platform does not document and imglint chose.
	Assumed []string `json:"assumed,omitempty"`
}

// Matrix is one image on several platforms.
type Matrix struct {
	Image string `json:"image"`
	Rows  []Row  `json:"rows"`
	// Starts is how often the image was started for all of them.
	Starts  int     `json:"starts"`
	Seconds float64 `json:"seconds"`
}

// NewMatrix condenses the results of one image, one a platform.
func NewMatrix(results []Result) Matrix {
	m := Matrix{Rows: []Row{}}
	for _, r := range results {
		m.Image = r.Ref
		if r.Facts != nil {
			m.Rows = append(m.Rows, row(r))
		}
		m.Starts, m.Seconds = max(m.Starts, r.Starts), max(m.Seconds, r.Took.Round(time.Millisecond).Seconds())
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
		out.Verified, out.Proof = f.Fix.Verified, f.Fix.Proof
	}
	for _, e := range f.Evidence {
		switch e.Kind {
		case "says":
			_, out.Says, _ = strings.Cut(e.Text, " will say: ")
		case "assumed":
			out.RestsOn = append(out.RestsOn, e.Text)
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
		assumed := r.RestsOn
		if style.Verbose {
			assumed = slices.Concat(assumed, r.Assumed)
		}
		if len(assumed) > 0 {
			t.line("%s%s  %s", indent, style.paint(dim, "assumed"), clean(strings.Join(assumed, "; ")))
		}
		if !repeated(m.Rows[:i], r) {
			t.advice(indent, r)
		}
	}
	t.notChecked(shared(results))
	tally := fmt.Sprintf("%d pass, %d fail, %d unknown", counts[finding.Pass], counts[finding.Fail], counts[finding.Unknown])
	t.line("\n%s", style.paint(dim, tally+m.cost()+" · imglint --platform NAME says more"))
	_, err := io.WriteString(w, t.b.String())
	return err
}

// advice says what to change, whether that helped, and what the platform says.
func (t *textWriter) advice(indent string, r Row) {
	if r.Change != "" {
		untried := ""
		if r.Verified == nil && r.Basis == finding.Observed {
			untried = t.style.paint(dim, "   (not tried)")
		}
		t.exact("%s%s  %s", indent, t.style.paint(green, "fix    "), clean(r.Change)+untried)
	}
	switch {
	case r.Verified != nil && *r.Verified:
		t.line("%s%s  %s", indent, t.style.paint(green, "proved "), clean(r.Proof))
	case r.Verified != nil:
		t.line("%s%s  %s", indent, t.style.paint(yellow, "tried  "), clean(r.Proof))
	}
	if r.Says != "" {
		t.line("%s%s  %s", indent, t.style.paint(dim, "says   "), clean(r.Says))
	}
}

// cost is how often the image was started and how long all took, where it was.
func (m Matrix) cost() string {
	switch m.Starts {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" · 1 start, %.1fs", m.Seconds)
	}
	return fmt.Sprintf(" · %d starts, %.1fs", m.Starts, m.Seconds)
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
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	return last.Change == r.Change && last.Says == r.Says && last.proved() == r.proved()
}

// proved is "yes", "no", or "" when the change was not tried.
func (r Row) proved() string {
	switch {
	case r.Verified == nil:
		return ""
	case *r.Verified:
		return "yes"
	}
	return "no"
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
	if err := encode(w, doc, "  "); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}
