package servers

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"github.com/imglint/imglint/pkg/facts"
)

// leavesFiles are programs that do not write a server's configuration: they
// wait, migrate, or make directories. Whatever else runs before a server may
// have changed the files that the image holds.
var leavesFiles = map[string]bool{
	"mkdir": true, "chown": true, "chmod": true, "find": true, "sleep": true, "id": true, "whoami": true, "ls": true, "date": true,
	"python": true, "node": true, "ruby": true, "php": true, "flask": true, "alembic": true, "bundle": true, "rails": true,
	"rake": true, "npm": true, "npx": true, "yarn": true, "pnpm": true, "service": true, "nc": true, "pg_isready": true,
	"prisma": true, "aerich": true, "knex": true, "sequelize": true, "migrate": true, "goose": true, "flyway": true, "dbmate": true,
	"wait-for-it": true, "wait-for-it.sh": true, "wait-for": true, "wait": true, "manage.py": true, "redis-cli": true, "mysqladmin": true,
}

// touched says why the image's configuration files may have changed before
// the server starts, "" when nothing speaks for it.
func (run *invocation) touched() string {
	for _, c := range run.launch.Before {
		name := path.Base(c.Name())
		if pythonName.MatchString(name) {
			name = "python"
		}
		if c.Name() == "" || !leavesFiles[name] && !run.isServer(c) {
			return fmt.Sprintf("%q runs first and may change the configuration", first(c.Words()))
		}
	}
	return ""
}

// isServer reports whether a command is another server, which goes to the
// background: those write no configuration but their own.
func (run *invocation) isServer(c facts.Command) bool {
	other := predictCommand(c, facts.Launch{}, run.files, run.all)
	return other.Daemonizes == facts.Yes && other.Server != run.server.ID
}

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
	for _, c := range l.Before {
		other := predictCommand(c, facts.Launch{}, files, all)
		switch {
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
	for _, c := range l.Background {
		join(&p, predictCommand(c, facts.Launch{Before: l.Before}, files, all), c)
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
