package report

import (
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/finding"
)

type (
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifLogical struct {
		Name      string `json:"name"`
		Qualified string `json:"fullyQualifiedName"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine"`
		StartColumn int        `json:"startColumn,omitempty"`
		EndLine     int        `json:"endLine,omitempty"`
		EndColumn   int        `json:"endColumn,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifArtifact      `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted  sarifRegion `json:"deletedRegion"`
		Inserted sarifText   `json:"insertedContent"`
	}
)

func sarifFinding(r Result, f finding.Finding, mark string) sarifResult {
	result := sarifResult{
		RuleID: f.Rule, Level: sarifLevel(f.Severity),
		Message:      sarifText{Text: cleaned(paragraphs(f))},
		Locations:    []sarifLocation{sarifPlace(r, f)},
		Fingerprints: map[string]string{"imglintCause/v1": mark},
		Properties:   map[string]any{"basis": f.Basis},
	}
	if f.Fix == nil {
		return result
	}
	if f.Fix.Verified != nil {
		result.Properties["fixVerified"] = *f.Fix.Verified
	}
	var changes []sarifChange
	for _, d := range fileDiffs(f.Fix.Diff) {
		if replacements := replacements(d.diff); len(replacements) > 0 {
			changes = append(changes, sarifChange{Artifact: sarifURI(namedBy(f, d.file)), Replacements: replacements})
		}
	}
	if len(changes) > 0 {
		result.Fixes = []sarifFix{{Description: sarifText{Text: clean(f.Fix.Description)}, Changes: changes}}
	}
	return result
}

// namedBy is a diff's file as the finding names it: a diff has no absolute names.
func namedBy(f finding.Finding, file string) string {
	for _, name := range []string{f.Place.File, f.Fix.File} {
		if strings.TrimPrefix(path.Clean(strings.ReplaceAll(name, `\`, "/")), "/") == file {
			return name
		}
	}
	return file
}

func sarifPlace(r Result, f finding.Finding) sarifLocation {
	file, line, endLine := place(r, f)
	region := sarifRegion{StartLine: line, EndLine: endLine}
	if start, end := characters(f.Place); end > 0 && f.Place.File != "" {
		region.StartColumn, region.EndColumn, region.EndLine = start, end, line
	}
	if f.Place.File != "" && f.Place.Source != "" {
		region.Snippet = &sarifText{Text: f.Place.Source}
	}
	location := sarifLocation{Physical: sarifPhysical{Artifact: sarifURI(file), Region: region}}
	if f.Place.Field != finding.FieldNone {
		location.Logical = []sarifLogical{{Name: string(f.Place.Field), Qualified: r.Ref + "/" + string(f.Place.Field)}}
	}
	return location
}

// replacements turns a unified diff into SARIF's: every run of removed and
// added lines is one, anchored at text that the diff shows.
func replacements(diff string) []sarifReplacement {
	var all []sarifReplacement
	for _, b := range diffBlocks(diff) {
		removed, added := strings.Join(b.removed, "\n"), strings.Join(b.added, "\n")
		var region sarifRegion
		switch {
		case len(b.removed) > 0 && len(b.added) > 0:
			last := b.removed[len(b.removed)-1]
			region = sarifRegion{StartLine: b.line, StartColumn: 1, EndLine: b.line + len(b.removed) - 1, EndColumn: len([]rune(last)) + 1}
		case removed != "" || len(b.removed) > 0:
			region = sarifRegion{StartLine: b.line, StartColumn: 1, EndLine: b.line + len(b.removed), EndColumn: 1}
		case b.hasBefore:
			end := len([]rune(b.before)) + 1
			region = sarifRegion{StartLine: b.line - 1, StartColumn: end, EndLine: b.line - 1, EndColumn: end}
			added = "\n" + added
		default:
			region = sarifRegion{StartLine: b.line, StartColumn: 1, EndLine: b.line, EndColumn: 1}
			added += "\n"
		}
		all = append(all, sarifReplacement{Deleted: region, Inserted: sarifText{Text: added}})
	}
	return all
}
