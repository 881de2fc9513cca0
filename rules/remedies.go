package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// This file holds what makes fixes of a collector's remedies.

// remedy makes a fix of the best remedy, with the others as further ways; nil
// if there is none that is sure.
func remedy(remedies []facts.Remedy) *finding.Fix {
	sure := slices.DeleteFunc(slices.Clone(remedies), func(r facts.Remedy) bool { return r.Unsure })
	if len(sure) == 0 {
		return nil
	}
	slices.SortStableFunc(sure, func(a, b facts.Remedy) int { return cmp.Compare(effort(a), effort(b)) })
	fix := fixOf(sure[0])
	fix.Others = others(sure[1:])
	return &fix
}

// effort puts what imglint can write before what it can only say.
func effort(r facts.Remedy) int {
	if r.Change.Empty() {
		return 1
	}
	return 0
}

// trying adds ways that are fixes only once they were run and helped.
func trying(fix *finding.Fix, remedies []facts.Remedy) *finding.Fix {
	fix.Others = append(fix.Others, others(slices.DeleteFunc(slices.Clone(remedies), func(r facts.Remedy) bool { return !r.Unsure }))...)
	return fix
}

func others(remedies []facts.Remedy) []finding.Fix {
	var all []finding.Fix
	for _, r := range remedies {
		if !r.Change.Empty() {
			all = append(all, fixOf(r))
		}
	}
	return all
}

func fixOf(r facts.Remedy) finding.Fix {
	fix := finding.Fix{Description: r.Description, Instruction: r.Instruction, Change: r.Change}
	if r.Edit != "" && len(r.Change.Files) == 0 {
		fix.Description += ": " + r.Edit
	}
	return fix
}

// shellOf is what the shell form of an instruction is run by.
func shellOf(config facts.Config) []string {
	if len(config.Shell) > 0 {
		return config.Shell
	}
	return []string{"/bin/sh", "-c"}
}

func jsonWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
