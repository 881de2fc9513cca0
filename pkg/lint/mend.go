package lint

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/launch"
	"github.com/imglint/imglint/pkg/mend"
)

// mender finds the edits of the image's files that the remedies of a
// prediction come to. An edit is kept only when reading the image with it gives
// what was wanted; where that cannot be read, it is one that has to be run.
type mender struct {
	facts   *facts.Facts
	files   fs.FS
	options Options
}

func (m mender) mend() {
	f := m.facts
	f.Launch.Spot = mend.Spot(m.files, f.Launch)
	for i, c := range f.Launch.Before {
		f.Launch.Before[i].Spot = mend.SpotBefore(m.files, f.Launch, c)
	}
	if r, ok := launch.Respell(f.Image.Config); ok {
		f.Launch.FixWords = []facts.Remedy{r}
	}
	p := &f.Prediction
	p.FixPublic = m.each(p.FixPublic, isPublic)
	p.FixForeground = append(m.each(p.FixForeground, isForeground), m.foreground()...)
	p.FixPort = m.port()
	if g := p.Gunicorn; g != nil {
		g.FixPreload = m.each(g.FixPreload, func(f *facts.Facts) bool {
			return f.Prediction.Gunicorn != nil && f.Prediction.Gunicorn.Preload == facts.Yes
		})
		g.FixTimeout = m.each(g.FixTimeout, func(f *facts.Facts) bool {
			return f.Prediction.Gunicorn != nil && f.Prediction.Gunicorn.Timeout > g.Timeout
		})
	}
	if e, ok := mend.Exec(m.files, f.Launch); ok {
		f.Launch.FixExec = m.kept(facts.Remedy{Description: "start the program with exec, so that it takes the shell's place"}, e, func(again *facts.Facts) bool {
			return again.Launch.Shell == "" && slices.Equal(again.Launch.Command.Words(), f.Launch.Command.Words())
		})
	}
	if cmd := f.Image.Config.Cmd; f.Launch.CommandIgnored != "" && len(cmd) > 0 && strings.HasPrefix(cmd[0], "-") {
		if e, ok := mend.Arguments(m.files, f.Launch); ok {
			f.Launch.FixArguments = m.kept(facts.Remedy{Description: "hand the words of CMD on to the program"}, e, func(again *facts.Facts) bool {
				words := again.Launch.Command.Words()
				return again.Launch.CommandIgnored == "" && len(words) >= len(cmd) && slices.Equal(words[len(words)-len(cmd):], cmd)
			})
		}
	}
}

// each finds the file that a remedy changes, where the image's config does not
// hold what is to change.
func (m mender) each(remedies []facts.Remedy, cured func(*facts.Facts) bool) []facts.Remedy {
	var all []facts.Remedy
	for _, r := range remedies {
		edit, ok := finding.FileEdit{}, false
		switch {
		case !r.Change.Empty():
		case r.Argv != nil:
			edit, ok = mend.Words(m.files, m.facts.Launch, func(text string, start, end int) (string, bool) {
				return launch.RewriteFile(text, start, end, m.facts.Launch, r.Argv)
			})
		case r.At != "":
			edit, ok = mend.Setting(m.files, r.At, r.Old, r.New)
		}
		if ok {
			if kept := m.kept(r, edit, cured); kept != nil {
				r = kept[0]
			}
		}
		all = append(all, r)
	}
	return all
}

// kept is the remedy with its edit, if reading the image with it gives what
// was wanted.
func (m mender) kept(r facts.Remedy, edit finding.FileEdit, cured func(*facts.Facts) bool) []facts.Remedy {
	r.Change.Files = []finding.FileEdit{edit}
	again, err := m.with(r.Change)
	if err != nil || !cured(again) {
		return nil
	}
	return []facts.Remedy{r}
}

// with reads the image as it would be with a change.
func (m mender) with(change finding.Change) (*facts.Facts, error) {
	files, err := mend.Over(m.files, change.Files)
	if err != nil {
		return nil, err
	}
	img := m.facts.Image
	img.Config = apply(img.Config, change)
	return understand(img, files, m.options.settled()), nil
}

func isPublic(f *facts.Facts) bool {
	return f.Prediction.Complete && slices.ContainsFunc(f.Prediction.Listens, func(l facts.Listen) bool {
		return l.Network == "tcp" && l.Scope == facts.ScopeAny
	})
}

func isForeground(f *facts.Facts) bool {
	return f.Launch.Ends == "" && f.Prediction.Daemonizes != facts.Yes
}

// guess adds what may cure an image that was run and failed, and has to be
// tried to know: places in the program's own source.
func (c *check) guess() {
	f := c.facts
	if !c.Prove || f.Run == nil || len(f.Prediction.Listens) > 0 || f.Launch.Known != facts.Yes {
		return
	}
	if _, passed := f.Run.Passed(f.Target.Endpoint.Port, f.Target.Probe); passed {
		return
	}
	m := mender{facts: f, files: c.image.Files(), options: c.Options}
	if low, ok := m.lowPort(); ok {
		expose := m.exposing(low)
		f.Prediction.FixPort = append(f.Prediction.FixPort, unsure(freeSays, mend.Port(m.files, f.Launch, low, free), expose)...)
		return
	}
	private := slices.ContainsFunc(f.Run.Open(), func(l facts.Listener) bool {
		return l.Network == "tcp" && (l.Scope() == facts.ScopeLoopback || l.Scope() == facts.ScopeAny6)
	})
	if private {
		f.Prediction.FixPublic = append(f.Prediction.FixPublic, unsure("listen on all interfaces", mend.Loopback(m.files, f.Launch), nil)...)
	}
}

func unsure(says string, edits []finding.FileEdit, expose []string) []facts.Remedy {
	var all []facts.Remedy
	for _, e := range edits {
		r := facts.Remedy{Description: says, Unsure: true, Change: finding.Change{Files: []finding.FileEdit{e}, Expose: expose}}
		if expose != nil {
			r.Instruction = exposeText(expose)
		}
		all = append(all, r)
	}
	return all
}

// foreground takes away the & behind the program in a script.
func (m mender) foreground() []facts.Remedy {
	if m.facts.Launch.Ends == "" || slices.ContainsFunc(m.facts.Prediction.FixForeground, func(r facts.Remedy) bool { return !r.Change.Empty() }) {
		return nil
	}
	edit, ok := mend.Foreground(m.files, m.facts.Launch)
	if !ok {
		return nil
	}
	return m.kept(facts.Remedy{Description: "take the & away, so that the shell waits for the server"}, edit, isForeground)
}

// free is the port that a program listens on instead of one that only root
// may bind.
const (
	free      = 8080
	freeSays  = "listen on port 8080 and expose that"
	firstFree = 1024
)

// port are the ways to a port that every user may bind.
func (m mender) port() []facts.Remedy {
	low, ok := m.lowPort()
	if !ok {
		return nil
	}
	expose, says := m.exposing(low), freeSays
	listens := func(f *facts.Facts) bool {
		return slices.ContainsFunc(f.Prediction.Listens, func(l facts.Listen) bool { return l.Network == "tcp" && l.Port == free })
	}
	if argv, ok := otherPort(m.facts.Launch.Command.Words(), low); ok {
		r := facts.Remedy{Description: says, Argv: argv}
		change, instruction, ok := launch.Rewrite(m.facts.Image.Config, m.facts.Launch, r)
		if ok {
			change.Expose = expose
			r.Change, r.Instruction = change, instruction+"\n"+exposeText(expose)
			if again, err := m.with(change); err == nil && listens(again) {
				return []facts.Remedy{r}
			}
		}
	}
	for _, l := range m.facts.Prediction.Listens {
		if l.Port != low || l.Network != "tcp" {
			continue
		}
		edit, ok := mend.Setting(m.files, l.PortFrom, strconv.Itoa(low), strconv.Itoa(free))
		if !ok {
			continue
		}
		r := facts.Remedy{Description: says, Instruction: exposeText(expose), Change: finding.Change{Expose: expose}}
		if kept := m.kept(r, edit, listens); kept != nil {
			return kept
		}
	}
	return nil
}

// exposing is what to expose when a low port gives way to the free one.
func (m mender) exposing(low int) []string {
	expose := []string{fmt.Sprintf("%d/tcp", free)}
	for _, p := range m.facts.Image.Config.Exposed {
		if p.Protocol != "tcp" || p.Number != low {
			expose = append(expose, p.String())
		}
	}
	return expose
}

// lowPort is the port below 1024 that a user other than root is to bind, where
// the platform does not let them.
func (m mender) lowPort() (int, bool) {
	if user := m.facts.Image.Config.User; m.facts.Target.PrivilegedPorts != facts.No || user == "" || user == "root" || user == "0" {
		return 0, false
	}
	for _, p := range m.facts.Image.Config.Exposed {
		if p.Protocol == "tcp" && p.Number < firstFree {
			return p.Number, true
		}
	}
	return 0, false
}

// otherPort replaces the port in the one word that has it.
func otherPort(words []string, low int) ([]string, bool) {
	old, at := strconv.Itoa(low), -1
	for i, w := range words {
		if w == old || strings.HasSuffix(w, ":"+old) || strings.HasSuffix(w, "="+old) {
			if at >= 0 {
				return nil, false
			}
			at = i
		}
	}
	if at < 0 {
		return nil, false
	}
	words = slices.Clone(words)
	words[at] = strings.TrimSuffix(words[at], old) + strconv.Itoa(free)
	return words, true
}

func exposeText(ports []string) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strings.TrimSuffix(p, "/tcp")
	}
	return "EXPOSE " + strings.Join(words, " ")
}
