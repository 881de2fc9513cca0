package sealed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

// An unknown is one rune of the private use area, so that cutting a text
// either keeps it or loses it.
const (
	firstUnknown = '\ue000'
	lastUnknown  = '\uf7ff'
)

func isUnknown(r rune) bool { return r >= firstUnknown && r <= '\uf8ff' }

func tainted(text string) bool { return strings.ContainsFunc(text, isUnknown) }

func anyTainted(words []string) bool {
	for _, w := range words {
		if tainted(w) {
			return true
		}
	}
	return false
}

// The reasons why a way ends before the script does.
var (
	errDone  = errors.New("the way ends")
	errLimit = errors.New("the script takes too many steps")
)

// machine goes one way through a script.
type machine struct {
	mu     sync.Mutex // the two sides of a pipe run at once
	script launch.Script
	files  *overlay
	runner *interp.Runner
	way    launch.Way

	sites    []site
	labels   []string // of the unknowns
	runes    map[string]rune
	builtins map[string]builtin
	declared map[string]bool // functions
	sourced  int

	forced  map[string]int // decisions of this way
	visits  map[string]int
	decided []decided
	repeats map[string]int

	steps   int
	pending int  // site whose status the next program decides; -1: none
	asked   bool // the last status is unknown
	lost    bool // the directory is not known
	ran     int  // programs that may have made files
	done    bool
}

// decided is one decision that came up.
type decided struct {
	key            string
	options, chose int
}

func newMachine(script launch.Script, files fs.FS, forced map[string]int) *machine {
	m := &machine{
		script: script, forced: forced, builtins: builtins(), pending: -1,
		runes: map[string]rune{}, declared: map[string]bool{}, visits: map[string]int{}, repeats: map[string]int{},
	}
	m.files = newOverlay(files, script.Written)
	m.lost = script.Dir == ""
	return m
}

// unknown is a new value that only a run can tell.
func (m *machine) unknown(label string) rune {
	if r, ok := m.runes[label]; ok {
		return r
	}
	r := rune(firstUnknown + len(m.labels))
	if r > lastUnknown {
		return lastUnknown
	}
	m.labels = append(m.labels, label)
	m.runes[label] = r
	return r
}

// spell writes unknowns as the text they come from.
func (m *machine) spell(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch i := int(r - firstUnknown); {
		case !isUnknown(r):
			b.WriteRune(r)
		case i < len(m.labels):
			b.WriteString(m.labels[i])
		default:
			b.WriteString("…")
		}
	}
	return b.String()
}

func (m *machine) word(text string) facts.Word {
	return facts.Word{Text: m.spell(text), Known: !tainted(text)}
}

// run goes through the script once.
func (m *machine) run(ctx context.Context) (launch.Way, error) {
	file, err := parse(m.script.Text, m.script.Name)
	if err != nil {
		return m.way, fmt.Errorf("parse %s: %w", m.script.Name, err)
	}
	p := m.prepass(m.script.Name, m.script.Text, file)
	p.list(file.Stmts, role{})
	dir := "/"
	if m.script.Dir != "" {
		dir = m.script.Dir
	}
	runner, err := interp.New(
		func(r *interp.Runner) error { r.Dir = dir; return nil }, // New asks for the process's own otherwise
		interp.Env(expand.ListEnviron(m.environ()...)),
		interp.StdIO(nil, io.Discard, io.Discard),
		interp.CallHandler(m.call),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return m.exec }),
		interp.OpenHandler(m.open), interp.ReadDirHandler2(m.readDir), interp.StatHandler(m.stat), interp.AccessHandler(m.access),
	)
	if err != nil {
		return m.way, fmt.Errorf("set up the interpreter: %w", err)
	}
	for _, w := range m.script.Params {
		text := w.Text
		if !w.Known {
			text = string(m.unknown(w.Text))
		}
		runner.Params = append(runner.Params, text)
	}
	runner.Reset()
	runner.Funcs = map[string]*syntax.Stmt{}
	m.runner = runner
	m.finish(runner.Run(ctx, file))
	return m.way, nil
}

func (m *machine) prepass(name, text string, file *syntax.File) *prepass {
	p := &prepass{m: m, file: name, source: text, asked: map[string]bool{}}
	syntax.Walk(file, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok && f.Name != nil { // zsh has nameless ones
			m.declared[f.Name.Value] = true
		}
		return true
	})
	for name := range m.declared {
		p.asked[name] = true
	}
	return p
}

// finish turns the interpreter's end into the way's.
func (m *machine) finish(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var status interp.ExitStatus
	switch {
	case m.done:
	case err == nil:
		m.way.End = launch.WayEnds
	case errors.As(err, &status):
		m.way.End, m.way.Code = launch.WayFails, int(status)
		if m.way.Why == "" {
			m.way.Why = fmt.Sprintf("the script ends with status %d", status)
		}
	case m.way.End == "":
		m.way.End, m.way.Why = launch.WayUndecided, err.Error()
	}
	m.way.Written = m.files.known(func(name string) { m.before(launch.Writes(name), m.script.Name, 0) })
}

// end ends the way; the error goes back through the interpreter.
func (m *machine) end(end launch.WayEnd, why string) error {
	if !m.done {
		m.done = true
		m.way.End, m.way.Why = end, why
	}
	return errDone
}

// choose decides between options, and remembers that it did.
func (m *machine) choose(id, options int, say func(int) string) int {
	s := m.sites[id]
	m.visits[strconv.Itoa(id)]++
	key := fmt.Sprintf("%d#%d", id, m.visits[strconv.Itoa(id)])
	chose, forced := m.forced[key]
	if !forced && m.visits[strconv.Itoa(id)] > 2 && options == 2 {
		return m.visits[strconv.Itoa(id)] % 2 // a loop has to end some time
	}
	m.decided = append(m.decided, decided{key, options, chose})
	m.way.Decisions = append(m.way.Decisions, launch.Decision{File: s.file, Line: s.line, Text: s.text, Chose: say(chose)})
	return chose
}

// succeeds decides whether the command of a site succeeds.
func (m *machine) succeeds(id int) bool {
	s := m.sites[id]
	if s.loop {
		if m.visits[strconv.Itoa(id)] >= 1 {
			m.visits[strconv.Itoa(id)]++
			return s.leave
		}
		leaves := m.choose(id, 2, func(o int) string { return outcome((o == 0) == s.leave) }) == 0
		return leaves == s.leave
	}
	return m.choose(id, 2, func(o int) string { return outcome(o == 0) }) == 0
}

func outcome(ok bool) string {
	if ok {
		return "succeeds"
	}
	return "fails"
}

// at makes a site of a call that the prepass did not mark.
func (m *machine) at(text string, line int) int {
	for i, s := range m.sites {
		if s.line == line && s.text == text {
			return i
		}
	}
	m.sites = append(m.sites, site{file: m.script.Name, line: line, text: text})
	return len(m.sites) - 1
}
