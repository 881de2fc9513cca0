package report

import (
	_ "embed" // for the matrix's template and style
	"fmt"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

var (
	//go:embed page/matrix.html
	matrixTemplate string
	//go:embed page/matrix.css
	matrixStyle string
)

// matrixView is one image on each platform.
type matrixView struct {
	ID, Ref, Tally string
	Rows           []matrixLine
}

// matrixLine is a Row made safe, with a link to what the page says in whole.
type matrixLine struct {
	Link, Platform, Asks, Class, Word, Basis string
	Reason, Rule, Says, Change, Trial        string
	Typed                                    bool // Change is an instruction
	RestsOn                                  []string
}

// matrices are the tables of those images that several platforms judge.
func matrices(results []Result) []matrixView {
	var refs []string
	of := map[string][]int{}
	for i, r := range results {
		if len(of[r.Ref]) == 0 {
			refs = append(refs, r.Ref)
		}
		of[r.Ref] = append(of[r.Ref], i)
	}
	var views []matrixView
	for _, ref := range refs {
		if len(of[ref]) < 2 {
			continue
		}
		v := matrixView{ID: fmt.Sprintf("matrix-%d", len(views)+1), Ref: clean(ref)}
		var own []Result
		for _, i := range of[ref] {
			own = append(own, results[i])
			v.Rows = append(v.Rows, matrixLineOf(i+1, results[i]))
		}
		v.Tally = strings.TrimPrefix(tallyVerdicts(own)+NewMatrix(own).cost(), " · ")
		views = append(views, v)
	}
	return views
}

func matrixLineOf(n int, r Result) matrixLine {
	line := matrixLine{Link: fmt.Sprintf("#image-%d", n), Class: verdictClass(r), Word: verdictWord(r)}
	if r.Facts == nil {
		if r.Err != nil {
			line.Reason = clean(r.Err.Error())
		}
		return line
	}
	row := row(r)
	line.Platform, line.Asks, line.Basis = clean(row.name()), clean(row.Asks), string(row.Basis)
	line.Reason, line.Rule, line.Says, line.Change = clean(row.Reason), clean(row.Rule), clean(row.Says), clean(row.Change)
	if f, ok := firstCause(r); ok && f.Fix != nil {
		line.Typed = f.Fix.Instruction != ""
		line.Trial = trial(row)
	}
	for _, text := range row.RestsOn {
		line.RestsOn = append(line.RestsOn, clean(text))
	}
	return line
}

// trial says what became of a change that was tried, or that it was not.
func trial(r Row) string {
	switch {
	case r.proved() == "yes":
		return "proved: " + clean(r.Proof)
	case r.proved() == "no":
		return "tried: " + clean(r.Proof)
	case r.Basis == finding.Observed:
		return "not tried"
	}
	return ""
}
