package launch

import (
	"slices"

	"github.com/imglint/imglint/pkg/facts"
)

// Writes is how a file that is written on the way, with a text that is not
// known, stands among the commands that run first.
func Writes(name string) facts.Command {
	return facts.Command{
		Argv: []facts.Word{{Text: "a script writes " + name}},
		Runs: []facts.Command{{Argv: []facts.Word{{Text: "tee", Known: true}, {Text: name, Known: true}}}},
	}
}

// wrote records the files that every way writes alike.
func (f *follower) wrote(w *Way, ways Ways) {
	for name, text := range w.Written {
		same := !slices.ContainsFunc(ways.Ways, func(o Way) bool {
			theirs, ok := o.Written[name]
			return o.End != WayFails && (!ok || theirs != text)
		})
		if !same {
			f.launch.Before = append([]facts.Command{Writes(name)}, f.launch.Before...)
			continue
		}
		if f.launch.Written == nil {
			f.launch.Written = map[string]string{}
		}
		f.launch.Written[name] = text
	}
}
