package cli

import (
	"encoding/json"

	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/rule"
	"github.com/imglint/imglint/rules"
)

// ruleEntry is a rule for programs.
type ruleEntry struct {
	ID       string           `json:"id"`
	Title    string           `json:"title"`
	Severity finding.Severity `json:"severity"` // the most severe it reports
	NeedsRun bool             `json:"needsRun"`
	After    []string         `json:"after"` // the causes that silence it
	Page     string           `json:"page"`  // in Markdown
}

func rulesJSON(io IO) error {
	all := []ruleEntry{}
	for _, r := range rules.All {
		page, _ := rules.Page(r.ID)
		e := ruleEntry{r.ID, r.Title, r.Severity, r.Needs == rule.NeedsRun, []string{}, page}
		for _, cause := range r.After {
			e.After = append(e.After, cause.ID)
		}
		all = append(all, e)
	}
	enc := json.NewEncoder(io.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(all)
}
