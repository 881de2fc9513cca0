package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page's template and style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

var (
	//go:embed page/page.html
	pageTemplate string
	//go:embed page/page.css
	pageStyle string

	pageParsed = template.Must(template.Must(template.New("page").Parse(pageTemplate)).Parse(matrixTemplate))
)

// pagePolicy is the page's content security policy: nothing is loaded, no
// script runs, and the only style is the one whose hash this is.
func pagePolicy() string {
	sum := sha256.Sum256([]byte(pageStyle + matrixStyle))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	return "default-src 'none'; style-src 'sha256-" + hash + "'; base-uri 'none'; form-action 'none'"
}

// pageView is what the template of the whole page sees.
type pageView struct {
	Title     string
	Version   string
	Policy    string
	Style     template.CSS
	Answer    string // to the question in the headline, for several images
	Platforms []string
	Matrix    []matrixRow
	Matrices  []matrixView
	Images    []imageView
}

// matrixRow is an image on every platform.
type matrixRow struct {
	Ref   string
	Cells []matrixCell
}

// matrixCell is a verdict; its Link is empty where there is none.
type matrixCell struct {
	Link, Class, Word, Note string
}

// page writes one self-contained HTML page. It holds no script; html/template
// escapes everything that comes from an image.
func page(w io.Writer, a About, results []Result) error {
	v := pageView{Version: a.Version, Policy: pagePolicy(), Style: template.CSS(pageStyle + matrixStyle), Title: "imglint"}
	for i, r := range results {
		v.Images = append(v.Images, imageViewOf(i+1, r))
	}
	if len(results) == 1 {
		v.Title = clean(results[0].Ref) + " · imglint"
	}
	if len(results) > 1 {
		v.Platforms, v.Matrix = matrix(results)
		v.Matrices = matrices(results)
		v.Answer = counted(len(v.Matrix), "image")
		if len(v.Platforms) > 1 {
			v.Answer += " on " + counted(len(v.Platforms), "platform")
		}
		v.Answer += ": " + tallyVerdicts(results)
	}
	var b bytes.Buffer
	if err := pageParsed.Execute(&b, v); err != nil {
		return fmt.Errorf("fill html page: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write html page: %w", err)
	}
	return nil
}

// matrix arranges the results by image and platform.
func matrix(results []Result) (platforms []string, rows []matrixRow) {
	column, row := map[string]int{}, map[string]int{}
	for _, r := range results {
		name := platformOf(r)
		if _, ok := column[name]; !ok && name != "" {
			column[name] = len(platforms)
			platforms = append(platforms, name)
		}
	}
	if len(platforms) == 0 {
		platforms = []string{"health check"}
	}
	for i, r := range results {
		at, ok := row[r.Ref]
		if !ok {
			at = len(rows)
			row[r.Ref] = at
			rows = append(rows, matrixRow{Ref: clean(r.Ref), Cells: make([]matrixCell, len(platforms))})
		}
		rows[at].Cells[column[platformOf(r)]] = matrixCell{
			Link: fmt.Sprintf("#image-%d", i+1), Class: verdictClass(r), Word: verdictWord(r), Note: matrixNote(r),
		}
	}
	return platforms, rows
}

func platformOf(r Result) string {
	if r.Facts == nil {
		return ""
	}
	return clean(r.Facts.Target.Platform)
}

// matrixNote is the cause, or how long the boot took.
func matrixNote(r Result) string {
	if r.Err != nil {
		return "could not be checked"
	}
	for _, f := range r.Findings {
		if f.Severity == finding.Error {
			return clean(f.Rule)
		}
	}
	if boot, ok := r.boot(); ok {
		return fmt.Sprintf("answered after %.1fs", boot.Seconds())
	}
	return Tally(r.Findings)
}

// verdictClass is the style of a verdict.
func verdictClass(r Result) string {
	if r.Err == nil && (r.Verdict == finding.Pass || r.Verdict == finding.Fail) {
		return string(r.Verdict)
	}
	return "unknown"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// tallyVerdicts counts verdicts in words: "1 fails, 2 pass".
func tallyVerdicts(results []Result) string {
	count := map[string]int{}
	for _, r := range results {
		count[verdictClass(r)]++
	}
	var parts []string
	for _, c := range []struct{ class, one, many string }{
		{"fail", "fails", "fail"}, {"unknown", "is not known", "are not known"}, {"pass", "passes", "pass"},
	} {
		switch n := count[c.class]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+c.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, c.many))
		}
	}
	return strings.Join(parts, ", ")
}
