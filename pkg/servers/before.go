package servers

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// flat replaces commands by what they run, where that is known.
func flat(commands []facts.Command) []facts.Command {
	var all []facts.Command
	for _, c := range commands {
		if c.Runs == nil {
			all = append(all, c)
			continue
		}
		for _, inner := range flat(c.Runs) {
			if inner.Dir == "" {
				inner.Dir = c.Dir
			}
			if inner.Env == nil {
				inner.Env = c.Env
			}
			all = append(all, inner)
		}
	}
	return all
}

// touched says why a configuration file may have changed before the server
// starts, "" when nothing speaks for it.
func (run *invocation) touched(file string) string {
	for _, c := range flat(run.launch.Before) {
		if !quiet(c) && !apart(c, file) && !run.isServer(c) {
			return fmt.Sprintf("%q runs first and may change the configuration", first(c.Words()))
		}
	}
	return ""
}

// list reads a directory of configuration files, which commands that run
// before the server may add to.
func (run *invocation) list(dir string) ([]fs.DirEntry, error) {
	if run.files == nil {
		return nil, facts.ErrNotExamined
	}
	if why := run.touched(path.Join(dir, anyName)); why != "" {
		return nil, errors.New(why)
	}
	return fs.ReadDir(run.files, strings.Trim(dir, "/"))
}

// isServer reports whether a command is another server, which goes to the
// background, or this one, which only tests: those write no configuration but
// their own.
func (run *invocation) isServer(c facts.Command) bool {
	other := predictCommand(c, facts.Launch{}, run.files, run.all)
	tests := other.Ends != "" && other.Server == run.server.ID // nginx -t
	return tests || other.Daemonizes == facts.Yes && other.Server != run.server.ID
}

// first is a command's text, for a reader.
func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	if len(words[0]) > 60 {
		return words[0][:60] + " …"
	}
	return words[0]
}

// withOthers adds what the commands before and beside the last one listen on.
func withOthers(p facts.Prediction, l facts.Launch, files fs.FS, all []server) facts.Prediction {
	for _, c := range flat(l.Before) {
		other := predictCommand(c, facts.Launch{}, files, all)
		switch {
		case finite(c):
		case c.Name() == "" || other.Server == "":
			incomplete(&p, "what %s leaves running is not known", quoted(c))
		case other.Ends != "" || other.Interactive != "":
		case other.Daemonizes == facts.Yes:
			join(&p, other, c)
		case other.Daemonizes == facts.No:
			return blocked(other, c, l)
		case prepares(other, c):
		default:
			incomplete(&p, "whether %s goes to the background is not known", quoted(c))
		}
	}
	for _, c := range flat(l.Background) {
		if !finite(c) {
			join(&p, predictCommand(c, facts.Launch{Before: l.Before}, files, all), c)
		}
	}
	return p
}

// serves are names of scripts that do not end by themselves.
var serves = regexp.MustCompile(`(?i)app|serv|main|index|bot|work|daemon|run|start|listen|consum`)

// prepares reports whether a command is a script of the application's own that
// others wait for: what is written in front of a server in Python or
// JavaScript migrates, waits or checks, and leaves nothing running.
func prepares(p facts.Prediction, c facts.Command) bool {
	if _, ok := interpreterValues[p.Server]; !ok || p.Daemonizes != facts.Unknown {
		return false
	}
	for _, w := range c.Argv[1:] {
		inline := inlineCode[p.Server+" "+w.Text]
		if !w.Known || !inline && serves.MatchString(path.Base(w.Text)) {
			return false
		}
		if inline {
			return true
		}
	}
	return true
}

// blocked is the prediction when an earlier command never ends.
func blocked(p facts.Prediction, c facts.Command, l facts.Launch) facts.Prediction {
	p.FixPublic, p.FixForeground, p.Gunicorn = nil, nil, nil
	if p.Why == "" {
		p.Why = fmt.Sprintf("%s runs first and does not end: %s never starts", quoted(c), l.Command.Name())
	}
	return p
}

// join adds another command's listeners.
func join(p *facts.Prediction, other facts.Prediction, c facts.Command) {
	switch {
	case other.Server != "" && !other.Complete && other.Why != "":
		incomplete(p, "%s", other.Why)
	case other.Server == "" || !other.Complete:
		incomplete(p, "what %s listens on is not known", quoted(c))
	}
	if other.Ends == "" && other.Interactive == "" {
		p.Listens = append(p.Listens, other.Listens...)
	}
}

func incomplete(p *facts.Prediction, format string, args ...any) {
	p.Complete = false
	if p.Why == "" {
		p.Why = fmt.Sprintf(format, args...)
	}
}

func quoted(c facts.Command) string { return fmt.Sprintf("%q", first(c.Words())) }

// plainName is the name of a command's program: python3.11 is python.
func plainName(c facts.Command) string {
	name := path.Base(c.Name())
	if pythonName.MatchString(name) {
		return "python"
	}
	return strings.TrimSuffix(name, ".sh")
}
