package dockerfile

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
)

// ErrNotProved says that an edit would change more than was intended, or not
// what was intended; it is then not offered.
var ErrNotProved = errors.New("the edit would not change that field alone")

// ErrUnchanged says that the config has already what the edit would give it.
var ErrUnchanged = fmt.Errorf("%w: nothing changes", ErrNotProved)

// Edit gives field the instruction: it replaces the one that decided the
// field, or adds one where the field is inherited. Every other byte stays, and
// the result is proved by computing the config before and after. Of d only the
// target and the build arguments are used, so edits can follow one another.
func Edit(src []byte, d *facts.Dockerfile, field finding.Field, instruction string) ([]byte, error) {
	o := OptionsOf(d)
	p, err := parse(src, o)
	if err != nil {
		return nil, fmt.Errorf("edit %s of %q: %w", field, d.File, err)
	}
	edited, err := p.apply(src, p.dockerfile(o), field, instruction)
	if err != nil {
		return nil, fmt.Errorf("edit %s of %q: %w", field, d.File, err)
	}
	if err := prove(src, edited, field, instruction, o); err != nil {
		return nil, fmt.Errorf("edit %s of %q: %w", field, d.File, err)
	}
	return edited, nil
}

func (p *plan) apply(src []byte, d *facts.Dockerfile, field finding.Field, instruction string) ([]byte, error) {
	t := newText(src)
	own := d.Fields[field]
	switch field {
	case finding.FieldEntrypoint, finding.FieldCmd:
		if len(own) == 0 {
			return t.insert(p.end+1, instruction, p.from.Text), nil
		}
	case finding.FieldEnv:
		own = p.settersOf(instruction)
		if len(own) == 0 {
			return t.insert(t.aboveComment(p.start()), instruction, p.from.Text), nil
		}
	case finding.FieldExpose, finding.FieldUser, finding.FieldWorkdir, finding.FieldHealthcheck, finding.FieldStopSignal:
		if len(own) == 0 {
			return t.insert(t.aboveComment(p.start()), instruction, p.from.Text), nil
		}
	default:
		return nil, fmt.Errorf("no instruction can be put there")
	}
	last := own[len(own)-1]
	if p.fires(last) {
		return nil, fmt.Errorf("line %d is an ONBUILD's", last.Line)
	}
	t.replace(last, instruction)
	if field == finding.FieldExpose {
		// The new instruction is the whole set.
		for _, other := range own[:len(own)-1] {
			if p.fires(other) {
				return nil, fmt.Errorf("line %d is an ONBUILD's", other.Line)
			}
			t.remove(other)
		}
	}
	return t.bytes(), nil
}

// fires reports whether an instruction comes from an ONBUILD trigger.
func (p *plan) fires(at facts.Instruction) bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.trigger && s.at == at })
}

// start is the line of the target's first CMD or ENTRYPOINT: what has to be
// set for the program stands before it. Without one it is past the end.
func (p *plan) start() int {
	for _, s := range p.steps {
		if (s.verb == "CMD" || s.verb == "ENTRYPOINT") && !s.trigger && s.stage == p.steps[len(p.steps)-1].stage {
			return s.at.Line
		}
	}
	return p.end + 1
}

// settersOf are the instructions that set nothing but the one variable that
// the ENV instruction sets. An ENV that sets others too is left alone: a later
// one overrides it.
func (p *plan) settersOf(instruction string) []facts.Instruction {
	key := envKeys(instruction)
	if len(key) != 1 {
		return nil
	}
	var own []facts.Instruction
	for _, s := range p.steps {
		if s.verb != "ENV" {
			continue
		}
		switch keys := envKeys(s.at.Text); {
		case slices.Equal(keys, key):
			own = append(own, s.at)
		case slices.Contains(keys, key[0]):
			own = nil // it comes later and would win
		}
	}
	return own
}

// prove computes the config on both sides and compares.
func prove(src, edited []byte, field finding.Field, instruction string, o Options) error {
	before, _, err := Compute(context.Background(), src, o)
	if err != nil {
		return err
	}
	after, d, err := Compute(context.Background(), edited, o)
	if err != nil {
		return err
	}
	own := d.Fields[field]
	if len(own) == 0 || !slices.ContainsFunc(own, func(i facts.Instruction) bool { return sameInstruction(i.Text, instruction) }) {
		return ErrNotProved
	}
	if reflect.DeepEqual(value(before.Config, field), value(after.Config, field)) {
		return ErrUnchanged
	}
	if !reflect.DeepEqual(without(before.Config, field), without(after.Config, field)) {
		return ErrNotProved
	}
	return nil
}

func sameInstruction(text, instruction string) bool {
	verb, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	wantVerb, wantRest, _ := strings.Cut(instruction, " ")
	return strings.EqualFold(verb, wantVerb) && rest == wantRest
}

// value returns what the config has in a field.
func value(c facts.Config, f finding.Field) any {
	switch f {
	case finding.FieldEntrypoint:
		return c.Entrypoint
	case finding.FieldCmd:
		return c.Cmd
	case finding.FieldExpose:
		return c.Exposed
	case finding.FieldEnv:
		return c.Env
	case finding.FieldUser:
		return c.User
	case finding.FieldWorkdir:
		return c.WorkingDir
	case finding.FieldStopSignal:
		return c.StopSignal
	}
	return c.Healthcheck
}

// without returns the config with a field left empty.
func without(c facts.Config, f finding.Field) facts.Config {
	switch f {
	case finding.FieldEntrypoint:
		c.Entrypoint = nil
	case finding.FieldCmd:
		c.Cmd = nil
	case finding.FieldExpose:
		c.Exposed = nil
	case finding.FieldEnv:
		c.Env = nil
	case finding.FieldUser:
		c.User = ""
	case finding.FieldWorkdir:
		c.WorkingDir = ""
	case finding.FieldHealthcheck:
		c.Healthcheck = nil
	case finding.FieldStopSignal:
		c.StopSignal = ""
	}
	return c
}

// Diff is the change as a unified diff that git apply takes, "" when there is
// none.
func Diff(file string, old, new []byte) string {
	name := strings.TrimPrefix(path.Clean(strings.ReplaceAll(file, `\`, "/")), "/")
	return udiff.Unified("a/"+name, "b/"+name, string(old), string(new))
}
