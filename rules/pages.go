package rules

import "embed"

// pages are generated from the rules' comments and fixtures by
// go test ./rules -update.
//
//go:embed docs/*.md
var pages embed.FS

// Page returns the documentation of a rule, in Markdown.
func Page(id string) (string, bool) {
	text, err := pages.ReadFile("docs/" + id + ".md")
	return string(text), err == nil
}
