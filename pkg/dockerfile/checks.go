package dockerfile

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"

	"github.com/imglint/imglint/pkg/facts"
)

// Warning is what one of BuildKit's own build checks says.
type Warning struct {
	Rule    string // BuildKit's name for the check
	Message string
	At      facts.Instruction
	// Fatal: "# check=error=true" makes it the end of a build.
	Fatal bool
}

// Checks runs BuildKit's build checks, as docker build --check does: without a
// target over all stages, and with what a "# check=" line leaves out. A file
// that cannot be built has the warnings that came before that was found. A nil
// build context has no ignore file that is known.
func Checks(ctx context.Context, src []byte, o Options, buildContext fs.FS) (warnings []Warning) {
	f, err := read(src, o)
	if err != nil {
		return nil
	}
	defer func() { _ = recover() }() // see convert; what was found stays
	base := &bases{read: o.Base}
	frontend, err := newFrontend(base, o, ignoreText(buildContext, o.File))
	if err != nil {
		return nil
	}
	platform := o.platform()
	fatal := errorDirective(src)
	_, _ = dockerfile2llb.Dockerfile2LLB(ctx, src, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: maps.Clone(o.BuildArgs), Target: o.Target},
		TargetPlatform: &platform,
		MetaResolver:   base,
		Client:         frontend,
		AllStages:      o.Target == "",
		Warn: func(rule, _, _, message string, at []parser.Range) {
			w := Warning{Rule: rule, Message: message, At: f.instruction(at), Fatal: fatal}
			if !slices.Contains(warnings, w) {
				warnings = append(warnings, w)
			}
		},
	}) // Compute says why it cannot be built
	warnings = slices.DeleteFunc(warnings, func(w Warning) bool { return w.Rule == linter.RuleUndefinedVar.Name && f.inherits(w.At.Line, base) })
	slices.SortStableFunc(warnings, func(a, b Warning) int { return a.At.Line - b.At.Line })
	return warnings
}

// ignoreText is the ignore file of a build context, nil without one that
// patternmatcher understands.
func ignoreText(buildContext fs.FS, dockerfile string) []byte {
	c, err := openContext(buildContext, dockerfile)
	if err != nil {
		return nil
	}
	return c.text
}

// errorDirective reports whether the file asks that every warning ends a build.
func errorDirective(src []byte) bool {
	text, _, _, _ := parser.ParseDirective("check", src)
	c, err := linter.ParseLintOptions(text)
	return err == nil && c.ReturnAsError
}

// inherits reports whether the stage of a line has a base image that was not
// read: a variable that looks undefined may be that image's.
func (f *file) inherits(line int, b *bases) bool {
	for i := len(f.stages) - 1; i >= 0; i-- {
		if f.instruction(f.stages[i].Location).Line <= line {
			return b.unread[BaseName(f.plan(i).base)]
		}
	}
	return false
}

// Check describes one of BuildKit's build checks.
type Check struct{ Name, Description, URL string }

// AllChecks lists BuildKit's build checks by name.
func AllChecks() []Check {
	all := []Check{
		check(linter.RuleStageNameCasing), check(linter.RuleFromAsCasing), check(linter.RuleNoEmptyContinuation),
		check(linter.RuleConsistentInstructionCasing), check(linter.RuleDuplicateStageName), check(linter.RuleReservedStageName),
		check(linter.RuleJSONArgsRecommended), check(linter.RuleMaintainerDeprecated), check(linter.RuleUndefinedArgInFrom),
		check(linter.RuleWorkdirRelativePath), check(linter.RuleUndefinedVar), check(linter.RuleMultipleInstructionsDisallowed),
		check(linter.RuleLegacyKeyValueFormat), check(linter.RuleRedundantTargetPlatform), check(linter.RuleSecretsUsedInArgOrEnv),
		check(linter.RuleInvalidDefaultArgInFrom), check(linter.RuleFromPlatformFlagConstDisallowed), check(linter.RuleCopyIgnoredFile),
		check(linter.RuleInvalidDefinitionDescription), check(linter.RuleExposeProtoCasing), check(linter.RuleExposeInvalidFormat),
		check(linter.RuleInvalidBaseImagePlatform),
	}
	slices.SortFunc(all, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func check[F any](r linter.LinterRule[F]) Check {
	return Check{Name: r.Name, Description: r.Description, URL: r.URL}
}

// String is the text of imglint explain.
func (c Check) String() string {
	return fmt.Sprintf("# %s\n\n%s. A build check of BuildKit, shown by docker build --check too.\n\n%s\n", c.Name, c.Description, c.URL)
}
