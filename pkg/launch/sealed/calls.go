package sealed

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

var succeed = []string{"true"}

func branchToken(i int) string { return "\uf8ffbranch" + strconv.Itoa(i) }

// call sees every command before it runs, and says what runs instead.
func (m *machine) call(ctx context.Context, args []string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done {
		return nil, errDone
	}
	if m.steps++; m.steps > maxSteps {
		return nil, m.end(launch.WayUndecided, errLimit.Error())
	}
	hc := interp.HandlerCtx(ctx)
	if args[0] == opStatus {
		if m.asked {
			return m.print("$?"), nil
		}
		return []string{"printf", "%s", strconv.Itoa(hc.LastExitStatus)}, nil
	}
	m.pending, m.asked = -1, false
	if args[0] == opCond {
		m.pending, _ = strconv.Atoi(args[1])
		if args = args[2:]; len(args) == 0 {
			return succeed, nil
		}
	}
	if strings.HasPrefix(args[0], "\uf8ff") {
		return m.operation(hc, args)
	}
	if m.declared[args[0]] {
		m.pending = -1
		return args, nil
	}
	if f, ok := m.builtins[args[0]]; ok {
		return f(m, hc, args)
	}
	if m.pending >= 0 && !interp.IsBuiltin(args[0]) { // exec sees it again
		return slices.Concat([]string{opCond, strconv.Itoa(m.pending)}, args), nil
	}
	return args, nil
}

// print makes the shell print an unknown.
func (m *machine) print(label string) []string {
	return []string{"printf", "%s", string(m.unknown(label))}
}

// operation does what the prepass wrote into the script.
func (m *machine) operation(hc interp.HandlerContext, args []string) ([]string, error) {
	switch args[0] {
	case opTaint:
		if anyTainted(args[1:]) {
			return m.print("$((" + strings.Join(m.spellAll(args[1:]), " ") + "))"), nil
		}
		return []string{"false"}, nil
	case opSub:
		m.before(m.command(hc, args[1:]), m.script.Name, int(hc.Pos.Line()))
		return []string{"exit", "0"}, nil
	}
	id, _ := strconv.Atoi(args[1])
	switch rest := args[2:]; args[0] {
	case opCase:
		return m.branch(id, strings.Join(rest, " ")), nil
	case opLook:
		return m.look(hc, id, rest), nil
	case opAbort:
		if !anyTainted(rest) {
			return succeed, nil
		}
		return nil, m.giveUp(id)
	case opGroup:
		m.background(facts.Command{Argv: []facts.Word{{Text: m.sites[id].text}}, Env: m.exported(hc), Dir: m.dir(hc)})
		return succeed, nil
	case opBack:
		return m.back(hc, id, rest)
	case opDial:
		return m.dial(hc, id, rest[0] == "true", rest[1])
	}
	return nil, m.giveUp(id)
}

// dial connects to a server, which only a run can do: it is told as a test.
func (m *machine) dial(hc interp.HandlerContext, id int, decides bool, to string) ([]string, error) {
	c := m.command(hc, []string{"test", to})
	key := hc.Pos.String() + to
	switch m.repeats[key]++; {
	case m.repeats[key] > maxRepeats:
		m.way.Command, m.way.Line, m.way.File = &c, m.sites[id].line, m.script.Name
		return nil, m.end(launch.WayLoop, "")
	case m.repeats[key] == 1:
		m.before(c, m.script.Name, m.sites[id].line)
	}
	m.asked = true
	if decides && !m.succeeds(id) {
		return []string{"false"}, nil
	}
	return succeed, nil
}

func (m *machine) giveUp(id int) error {
	m.way.Line, m.way.File = m.sites[id].line, m.sites[id].file
	return m.end(launch.WayUndecided, fmt.Sprintf("line %d: only a run can tell what %s does", m.sites[id].line, m.sites[id].text))
}

func assignment(name, value string) []string {
	return []string{"eval", name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'"}
}

// branch picks the branch of a case statement.
func (m *machine) branch(id int, text string) []string {
	s := m.sites[id]
	if !tainted(text) {
		return assignment(varCase, text)
	}
	options := len(s.branches)
	if s.fallback {
		options++
	}
	if options == 0 {
		return assignment(varCase, "")
	}
	chose := m.choose(id, options, func(i int) string {
		if i < len(s.branches) {
			return "is " + s.branches[i]
		}
		return "is something else"
	})
	return assignment(varCase, branchToken(chose))
}

// look decides a test whose words are not all known.
func (m *machine) look(hc interp.HandlerContext, id int, words []string) []string {
	doubt := anyTainted(words) || slices.ContainsFunc(words, func(w string) bool { return m.doubtful(hc, w) })
	value := ""
	if doubt {
		value = "F"
		if m.succeeds(id) {
			value = "T"
		}
	}
	return assignment(varLook, value)
}

// doubtful reports whether text names a file that may or may not be there.
func (m *machine) doubtful(hc interp.HandlerContext, text string) bool {
	if !strings.Contains(text, "/") {
		return false
	}
	if m.lost && !path.IsAbs(text) {
		return true
	}
	_, found := m.files.lookup(absolute(hc.Dir, text))
	return found == facts.Unknown || found == facts.No && m.ran > 0
}

func (m *machine) back(hc interp.HandlerContext, id int, args []string) ([]string, error) {
	for len(args) > 0 && (args[0] == "exec" || args[0] == "command" || args[0] == "nohup") {
		args = args[1:]
	}
	switch {
	case len(args) == 0:
	case m.declared[args[0]] || interp.IsBuiltin(args[0]):
		m.background(facts.Command{Argv: []facts.Word{{Text: m.sites[id].text}}, Env: m.exported(hc), Dir: m.dir(hc)})
	default:
		m.background(m.command(hc, args))
	}
	return succeed, nil
}

func (m *machine) background(c facts.Command) {
	m.way.Sent = len(m.way.Before)
	m.way.Background = append(m.way.Background, c)
	m.way.Waits = false
}

func (m *machine) spellAll(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = m.spell(w)
	}
	return all
}

// before records a program that runs to its end.
func (m *machine) before(c facts.Command, file string, line int) {
	m.way.Before = append(m.way.Before, c)
	m.way.Waits = false
	m.way.File, m.way.Line = file, line
}

// command describes a program in the present surroundings.
func (m *machine) command(hc interp.HandlerContext, args []string) facts.Command {
	c := facts.Command{Env: m.exported(hc), Dir: m.dir(hc)}
	for name := range hc.Env.Each {
		if value := hc.Env.Get(name); value.Exported && tainted(value.String()) && !provided[name] {
			c.EnvUnknown = append(c.EnvUnknown, name)
		}
	}
	slices.Sort(c.EnvUnknown)
	c.EnvUnknown = slices.Compact(c.EnvUnknown)
	for _, a := range args {
		c.Argv = append(c.Argv, m.word(a))
	}
	return c
}

func (m *machine) dir(hc interp.HandlerContext) string {
	if m.lost {
		return ""
	}
	return hc.Dir
}
