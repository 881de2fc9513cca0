package rules

import (
	"testing"

	"github.com/imglint/imglint/pkg/rule"
)

func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	if err := rule.Validate(All); err != nil {
		t.Error(err)
	}
}
