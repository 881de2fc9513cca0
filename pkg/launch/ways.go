package launch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// memory is what a follower knew when a script began.
type memory struct {
	vars               vars
	dir                string
	before, background int
}

func (f *follower) remember() memory {
	return memory{vars: f.vars.clone(), dir: f.dir, before: len(f.launch.Before), background: len(f.launch.Background)}
}

func (f *follower) restore(m memory) {
	f.vars, f.dir = m.vars.clone(), m.dir
	f.launch.Before = f.launch.Before[:min(m.before, len(f.launch.Before))]
	f.launch.Background = f.launch.Background[:min(m.background, len(f.launch.Background))]
}

// What interpret is asked for instead of a number of unknown words.
const (
	anything  = -1 // reading did not decide
	certainly = -2 // reading did decide: all ways have to agree
)

// interpret asks the interpreter about a script that reading did not decide,
// or in whose command so many words are unknown. ok is false when that does
// not help.
func (s *shell) interpret(unknown int) (words []word, ok bool) {
	f := s.f
	if f.interpreter == nil || s.tried || f.blind != "" || f.depth > maxDepth {
		return nil, false
	}
	s.tried = true
	f.depth++
	saved := f.remember()
	f.restore(s.start)
	ways, err := f.interpreter.Interpret(s.script(), f.files)
	best, why := likeliest(ways)
	if err != nil || best == nil || best.End == WayUndecided || best.End == WayFails || unknown >= 0 && !better(best, ways, unknown) || unknown == certainly && why != "" {
		f.restore(saved)
		if best != nil && best.Why != "" {
			f.trail(s.label, "interpreted: %s", best.Why)
		}
		return nil, false
	}
	f.usesArgs = f.usesArgs || ways.UsesArgs
	f.launch.Alternatives = append(f.launch.Alternatives, alternatives(ways, best)...)
	if f.assumed == "" {
		f.assumed = why
	}
	return s.take(best, ways), true
}

// better reports whether a way tells more than a command with so many unknown words.
func better(w *Way, ways Ways, unknown int) bool {
	if w.Command == nil {
		return false
	}
	n := 0
	for _, word := range w.Command.Argv {
		n += count(!word.Known)
	}
	return n < unknown && (len(alternatives(ways, w)) > 0 || !ways.More)
}

func unknowns(words []word) int {
	n := 0
	for _, w := range words {
		n += count(!w.Known)
	}
	return n
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// script is what the interpreter is told.
func (s *shell) script() Script {
	f := s.f
	script := Script{
		Name: s.zero.Text, Text: s.source, Env: f.vars.environ(), Unknown: f.vars.unknownNames(), Dir: f.dir, UID: -1, Bash: s.kind == kindBash,
		Written: f.launch.Written,
	}
	if s.file != "" {
		script.Name = s.file
	}
	for _, w := range s.params0 {
		script.Params = append(script.Params, w.Word)
	}
	if uid, ok := f.uid(); ok {
		script.UID = uid
	}
	if f.isRoot() {
		script.Home = "/root"
	}
	return script
}

// likeliest returns the likeliest way that leads somewhere, and why it is not
// the only one.
func likeliest(ways Ways) (best *Way, why string) {
	for i := range ways.Ways {
		w := &ways.Ways[i]
		if best == nil || (best.End == WayFails || best.End == WayUndecided) && w.End != WayFails && w.End != WayUndecided {
			best = w
		}
	}
	if best == nil {
		return nil, ""
	}
	for i := range ways.Ways {
		w := &ways.Ways[i]
		if w.End == WayFails && (best.End != WayFails || w.Code == best.Code) {
			continue // something went wrong, and the container ends
		}
		if w.outcome() != best.outcome() {
			return best, "an entrypoint script decides: " + because(w)
		}
	}
	if ways.More {
		return best, "an entrypoint script decides, and it has too many ways to try"
	}
	return best, ""
}

// outcome is what makes two ways the same.
func (w *Way) outcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v %v", w.End, w.Waits, w.Traps)
	say := func(c facts.Command) { fmt.Fprintf(&b, "\n%q %s %q", c.Words(), c.Dir, c.User) }
	if w.Command != nil {
		say(*w.Command)
	} else if n := len(w.Before); n > w.Sent {
		say(w.Before[n-1])
	}
	for _, c := range w.Background {
		say(c)
	}
	return b.String()
}

// because names the decisions of a way for a reader.
func because(w *Way) string {
	if len(w.Decisions) == 0 {
		return w.Why
	}
	d := w.Decisions[len(w.Decisions)-1]
	for _, other := range slices.Backward(w.Decisions) {
		if other.Chose != "succeeds" {
			d = other
			break
		}
	}
	return fmt.Sprintf("%s:%d: %s %s", d.File, d.Line, d.Text, d.Chose)
}

const maxAlternatives = 8

func alternatives(ways Ways, best *Way) []facts.Alternative {
	seen := map[string]bool{best.outcome(): true}
	var all []facts.Alternative
	for i := range ways.Ways {
		w := &ways.Ways[i]
		if w.End == WayFails || seen[w.outcome()] || len(all) == maxAlternatives {
			continue
		}
		seen[w.outcome()] = true
		a := facts.Alternative{Because: because(w)}
		if w.Command != nil {
			a.Argv = w.Command.Words()
		} else if n := len(w.Before); n > w.Sent {
			a.Argv = w.Before[n-1].Words()
		}
		all = append(all, a)
	}
	return all
}

// take goes on with what a way ends in.
func (s *shell) take(w *Way, ways Ways) []word {
	f := s.f
	for _, c := range w.Before {
		c.User = f.user
		f.launch.Before = append(f.launch.Before, f.resolved(c))
	}
	others := map[string]bool{}
	for _, c := range w.Before {
		others[strings.Join(c.Words(), " ")] = true
	}
	for _, other := range ways.Ways {
		for _, c := range other.Before {
			if text := strings.Join(c.Words(), " "); !others[text] && other.End != WayFails {
				others[text] = true
				f.launch.Before = slices.Insert(f.launch.Before, len(f.launch.Before)-len(w.Before), c)
			}
		}
	}
	f.launch.Background = append(f.launch.Background, w.Background...)
	f.wrote(w, ways)
	for _, d := range w.Decisions {
		f.trail(fmt.Sprintf("%s:%d", d.File, d.Line), "assuming that %s %s", d.Text, d.Chose)
	}
	s.traps = s.traps || w.Traps
	s.sent = len(f.launch.Before) - len(w.Before) + w.Sent
	if w.Command != nil {
		return s.takeCommand(w, ways)
	}
	if w.Waits {
		return s.finish(s.wait(nil, true))
	}
	return s.finish(s.theEnd("the shell script ends"))
}

func (s *shell) takeCommand(w *Way, ways Ways) []word {
	f := s.f
	did := "runs"
	if w.End == WayExec {
		did = "executes"
	}
	f.trail(fmt.Sprintf("%s:%d", w.File, w.Line), "%s %s", did, oneLine(strings.Join(w.Command.Words(), " ")))
	f.setEnviron(w, ways)
	f.dir = w.Command.Dir
	f.launch.Repeats = f.launch.Repeats || w.End == WayLoop
	return s.finish(outcome{kind: final, words: s.originals(w.Command.Argv), exec: w.End == WayExec, stays: w.End == WayLoop, certain: facts.Yes})
}

// setEnviron takes the environment over; what ways disagree on is not known.
func (f *follower) setEnviron(w *Way, ways Ways) {
	next := newVars(w.Command.Env)
	for _, name := range w.Command.EnvUnknown {
		next.set(name, "", false, true)
	}
	for _, other := range ways.Ways {
		if other.Command == nil || other.outcome() != w.outcome() {
			continue
		}
		theirs := newVars(other.Command.Env)
		for name := range next {
			if theirs[name].text != next[name].text && !next[name].unknown {
				next.set(name, "", false, true)
			}
		}
		for name := range theirs {
			if _, ok := next[name]; !ok {
				next.set(name, "", false, true)
			}
		}
	}
	f.vars = next
}

// originals gives words that are the script's last arguments their places
// in the image's config back.
func (s *shell) originals(argv []facts.Word) []word {
	words := make([]word, len(argv))
	for i, w := range argv {
		words[i] = word{Word: w}
	}
	for i, j := len(words)-1, len(s.params0)-1; i >= 0 && j >= 0 && words[i].Text == s.params0[j].Text; i, j = i-1, j-1 {
		words[i] = s.params0[j]
	}
	return words
}
