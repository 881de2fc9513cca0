// Package servers knows what common server programs listen on, whether they
// put themselves in the background, and how to change both. The knowledge is
// data: one YAML file for each program in catalogue/, explained at type server.
// Go code reads the configuration files that data cannot describe.
package servers

import (
	"io/fs"

	"github.com/imglint/imglint/pkg/facts"
)

// Predict says what the catalogue knows about a launch's command. files is the
// image's root and may be nil.
func Predict(l facts.Launch, files fs.FS) facts.Prediction {
	return predict(l, withWritten(files, l.Written), catalogue())
}

func predict(l facts.Launch, files fs.FS, all []server) facts.Prediction {
	if len(l.Argv) == 0 {
		return facts.Prediction{Why: "the image has no command"}
	}
	p := predictCommand(l.Command, l, files, all)
	if l.Known != facts.Yes {
		return facts.Prediction{Server: p.Server, Title: p.Title, Why: l.Why}
	}
	if l.Repeats && p.Ends != "" {
		p.Ends, p.Daemonizes, p.DaemonWhy = "", facts.No, "a shell repeats it"
	}
	if l.Ends != "" {
		if len(l.Background) > 0 {
			p.FixForeground = append([]facts.Remedy{{Description: "run it in the foreground", Argv: l.Command.Words()}}, p.FixForeground...)
		}
		p.Complete, p.Why = false, l.Ends
		return p
	}
	return withOthers(p, l, files, all)
}

// predictCommand says what one command does.
func predictCommand(c facts.Command, l facts.Launch, files fs.FS, all []server) facts.Prediction {
	run := newInvocation(c, l, files)
	if run == nil {
		return facts.Prediction{Why: "the program's name is not known"}
	}
	s := match(run, all)
	if s == nil {
		return run.stranger()
	}
	run.server, run.all = s, all
	run.p = facts.Prediction{Server: s.ID, Title: s.Title, Development: s.Development}
	run.decide()
	if run.p.Ends == "" && run.p.Interactive == "" {
		run.listen()
		run.dropDoubtful()
	}
	if s.evaluate != nil {
		s.evaluate(run)
	}
	run.remedies()
	return run.p
}

// evaluators are the parts of the catalogue that only code can express.
var evaluators = map[string]func(*invocation){
	"gunicorn":    gunicorn,
	"nginx":       nginx,
	"apache":      apache,
	"php-fpm":     phpFPM,
	"supervisord": supervisord,
	"service":     service,
	"thruster":    thruster,
	"redis":       redis,
	"memcached":   memcached,
	"mysqld":      mysqld,
	"postgres":    postgres,
	"mosquitto":   mosquitto,
	"puma":        puma,
	"uwsgi":       uwsgi,
	"sshd":        sshd,
	"lighttpd":    lighttpd,
	"haproxy":     haproxy,
	"caddy":       caddy,
	"mongod":      mongod,
	"java":        java,
	"dotnet":      dotnet,
	"node":        node,
	"vite":        vite,
	"tomcat":      tomcat,
	"unicorn":     unicorn,
	"hypercorn":   hypercorn,
}
