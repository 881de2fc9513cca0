package dockerfile

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// plan is the chain of instructions that make the final image: the target
// stage's, after those of the stages it is built from.
type plan struct {
	base   string            // the image that the chain starts with
	from   facts.Instruction // the FROM that names base
	target string            // name of the target stage, "" when it has none
	last   bool              // the target is the last stage
	steps  []step
	end    int // last line of the target stage
}

// step is one instruction of the chain.
type step struct {
	command instructions.Command
	verb    string
	stage   int
	at      facts.Instruction
	// trigger: an ONBUILD of an earlier stage, placed at the FROM it fires at.
	trigger bool
	// history is what BuildKit would record; "" when it could not be computed.
	history string
}

// file is a parsed Dockerfile.
type file struct {
	lines  []string
	stages []instructions.Stage
	args   shell.EnvGetter
	lex    *shell.Lex
	// instead tells what a named context puts in place of an image or a stage.
	instead func(name string) (NamedContext, bool)
}

// parse reads the Dockerfile and finds the chain of o.Target.
func parse(src []byte, o Options) (*plan, error) {
	f, err := read(src, o)
	if err != nil {
		return nil, err
	}
	target, err := f.stage(o.Target)
	if err != nil {
		return nil, err
	}
	return f.plan(target), nil
}

func read(src []byte, o Options) (f *file, err error) {
	defer func() { // see convert
		if r := recover(); r != nil {
			err = fmt.Errorf("buildkit cannot read it: %v", r)
		}
	}()
	tree, err := parser.Parse(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	stages, args, err := instructions.Parse(tree.AST, nil)
	if err != nil {
		return nil, err
	}
	if len(stages) == 0 {
		return nil, fmt.Errorf("it has no FROM")
	}
	f = &file{lines: splitLines(string(src)), stages: stages, lex: shell.NewLex(tree.EscapeToken), instead: o.context}
	f.args = f.globals(args, o)
	return f, nil
}

// globals are the arguments that FROM lines can use.
func (f *file) globals(args []instructions.ArgCommand, o Options) shell.EnvGetter {
	p := o.platform()
	env := []string{
		"TARGETPLATFORM=" + p.OS + "/" + p.Architecture, "TARGETOS=" + p.OS, "TARGETARCH=" + p.Architecture,
		"BUILDPLATFORM=" + p.OS + "/" + p.Architecture, "BUILDOS=" + p.OS, "BUILDARCH=" + p.Architecture,
	}
	for _, c := range args {
		for _, a := range c.Args {
			value, given := o.BuildArgs[a.Key]
			if !given && a.Value != nil {
				value, _, _ = f.lex.ProcessWord(*a.Value, shell.EnvsFromSlice(env)) // a wrong one fails in convert
			}
			if given || a.Value != nil {
				env = append(env, a.Key+"="+value)
			}
		}
	}
	return shell.EnvsFromSlice(env)
}

// stage finds a stage by name; "" is the last.
func (f *file) stage(name string) (int, error) {
	if name == "" {
		return len(f.stages) - 1, nil
	}
	var names []string
	for i, s := range f.stages {
		if s.Name != "" && strings.EqualFold(s.Name, name) {
			return i, nil
		}
		names = append(names, s.Name)
	}
	return 0, fmt.Errorf("it has no stage %q, only %q", name, names)
}

// plan follows the FROM lines from the target down to an image.
func (f *file) plan(target int) *plan {
	p := &plan{target: f.stages[target].Name, last: target == len(f.stages)-1, end: f.endOf(target)}
	for i := target; ; {
		s := f.stages[i]
		if c, ok := f.instead(s.Name); ok {
			p.base, p.from = c.base(s.Name), f.instruction(s.Location)
			return p
		}
		p.steps = append(f.stepsOf(i), p.steps...)
		base := f.expand(s.BaseName)
		if c, ok := f.instead(base); ok {
			p.base, p.from = c.base(base), f.instruction(s.Location)
			return p
		}
		parent := slices.IndexFunc(f.stages[:i], func(s instructions.Stage) bool { return s.Name != "" && s.Name == base })
		if parent < 0 {
			p.base, p.from = base, f.instruction(s.Location)
			return p
		}
		p.steps = append(f.triggers(parent, i), p.steps...)
		i = parent
	}
}

func (f *file) expand(word string) string {
	if expanded, _, err := f.lex.ProcessWord(word, f.args); err == nil && expanded != "" {
		return expanded
	}
	return word
}

func (f *file) stepsOf(stage int) []step {
	var steps []step
	for _, c := range f.stages[stage].Commands {
		steps = append(steps, step{command: c, verb: strings.ToUpper(c.Name()), stage: stage, at: f.instruction(c.Location())})
	}
	return steps
}

// triggers are the ONBUILD instructions of parent, which fire in child.
func (f *file) triggers(parent, child int) []step {
	var steps []step
	for _, c := range f.stages[parent].Commands {
		onbuild, ok := c.(*instructions.OnbuildCommand)
		if !ok {
			continue
		}
		tree, err := parser.Parse(strings.NewReader(onbuild.Expression))
		if err != nil || len(tree.AST.Children) != 1 {
			continue
		}
		if command, err := instructions.ParseCommand(tree.AST.Children[0]); err == nil {
			at := f.instruction(f.stages[child].Location)
			steps = append(steps, step{command: command, verb: strings.ToUpper(command.Name()), stage: child, at: at, trigger: true})
		}
	}
	return steps
}

func (f *file) endOf(stage int) int {
	s := f.stages[stage]
	if n := len(s.Commands); n > 0 {
		return f.instruction(s.Commands[n-1].Location()).EndLine
	}
	return f.instruction(s.Location).EndLine
}

func (f *file) instruction(ranges []parser.Range) facts.Instruction {
	if len(ranges) == 0 {
		return facts.Instruction{}
	}
	start, end := ranges[0].Start.Line, ranges[0].End.Line
	for _, r := range ranges[1:] {
		start, end = min(start, r.Start.Line), max(end, r.End.Line)
	}
	start, end = max(start, 1), min(end, len(f.lines))
	// A file may end in the middle of a continuation.
	if end < start {
		return facts.Instruction{Line: start, EndLine: start}
	}
	text := make([]string, 0, end-start+1)
	for _, line := range f.lines[start-1 : end] {
		text = append(text, strings.TrimRight(line, "\r\n"))
	}
	return facts.Instruction{Line: start, EndLine: end, Text: strings.Join(text, "\n")}
}

// splitLines cuts src after every line feed and keeps it.
func splitLines(src string) []string {
	lines := strings.SplitAfter(src, "\n")
	if n := len(lines); lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}

var fieldOf = map[string]finding.Field{
	"ENTRYPOINT": finding.FieldEntrypoint, "CMD": finding.FieldCmd, "EXPOSE": finding.FieldExpose,
	"ENV": finding.FieldEnv, "USER": finding.FieldUser, "WORKDIR": finding.FieldWorkdir,
	"HEALTHCHECK": finding.FieldHealthcheck, "STOPSIGNAL": finding.FieldStopSignal,
}

// dockerfile says which instructions decided each field.
func (p *plan) dockerfile(o Options) *facts.Dockerfile {
	d := &facts.Dockerfile{
		File: o.File, Base: p.base, End: p.end, Target: o.Target, BuildArgs: o.BuildArgs,
		Fields: map[finding.Field][]facts.Instruction{finding.FieldFrom: {p.from}},
	}
	cmdStage := -1
	for _, s := range p.steps {
		field, ok := fieldOf[s.verb]
		switch {
		case !ok:
			continue
		case field == finding.FieldExpose || field == finding.FieldEnv:
			d.Fields[field] = append(d.Fields[field], s.at)
			continue
		case field == finding.FieldCmd:
			cmdStage = s.stage
		case field == finding.FieldEntrypoint && cmdStage != s.stage:
			// ENTRYPOINT resets a CMD that is not of its own stage.
			delete(d.Fields, finding.FieldCmd)
		}
		d.Fields[field] = []facts.Instruction{s.at}
	}
	return d
}

// describe names a step for a message.
func (s step) describe() string {
	text, rest, more := strings.Cut(s.at.Text, "\n")
	if more && rest != "" {
		text += " …"
	}
	return "line " + strconv.Itoa(s.at.Line) + ": " + strings.TrimSpace(text)
}
