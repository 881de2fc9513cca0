package servers

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// service predicts `service X start` and `/etc/init.d/X start`: X runs in the
// background and the launcher ends.
func service(run *invocation) {
	if run.p.Ends != "" {
		return
	}
	name, action := path.Base(run.command.Name()), ""
	words := run.args
	if run.program != "/etc/init.d/" {
		if len(words) == 0 {
			run.p.Ends = run.program + " without a service ends at once"
			return
		}
		name, words = run.word(words[0]), words[1:]
	}
	if len(words) > 0 {
		action = run.word(words[0])
	}
	if action != "start" && action != "restart" && action != "force-reload" {
		run.p.Ends, run.p.Complete = fmt.Sprintf("%s %s ends at once", name, action), true
		return
	}
	run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, fmt.Sprintf("the init script of %s starts it in the background", name)
	run.p.Complete = false
	foreground := run.foregroundOf(name)
	if foreground == nil {
		run.unknown("the catalogue has no service %s", name)
		return
	}
	run.p.FixForeground = []facts.Remedy{{Description: "run " + foreground[0] + " in the foreground", Argv: foreground}}
	served := run.predictWords(foreground, run.command.Env)
	run.p.Listens, run.p.Complete = served.Listens, served.Complete
	run.unknownFrom(served)
}

func (run *invocation) unknownFrom(p facts.Prediction) {
	if !p.Complete {
		run.unknown("%s", p.Why)
	}
}

// foregroundOf finds the command that runs a service in the foreground.
func (run *invocation) foregroundOf(name string) []string {
	for i := range run.all {
		for _, pattern := range slices.Sorted(maps.Keys(run.all[i].Service)) {
			if ok, err := path.Match(pattern, name); !ok || err != nil {
				continue
			}
			words := slices.Clone(run.all[i].Service[pattern])
			for j := range words { // php*-fpm: {service} is php8.2-fpm
				version := strings.TrimSuffix(strings.TrimPrefix(name, "php"), "-fpm")
				words[j] = strings.ReplaceAll(words[j], "{version}", version)
			}
			return words
		}
	}
	return nil
}

// predictWords predicts another command in the same surroundings.
func (run *invocation) predictWords(words, env []string) facts.Prediction {
	c := facts.Command{Env: env, Dir: run.command.Dir, User: run.command.User}
	for _, w := range words {
		c.Argv = append(c.Argv, facts.Word{Text: w, Known: true})
	}
	return predictCommand(c, facts.Launch{Before: run.launch.Before}, run.files, run.all)
}

// thruster listens itself and runs the rest of its words with PORT set.
func thruster(run *invocation) {
	child := run.command.Words()[run.first:]
	if len(child) == 0 {
		run.p.Ends = "thrust is given no command"
		return
	}
	port := "3000"
	for _, name := range []string{"TARGET_PORT", "THRUSTER_TARGET_PORT"} {
		if value := run.env[name]; value != "" {
			port = value
		}
	}
	env := slices.Concat(run.command.Env, []string{"PORT=" + port})
	inner := run.predictWords(child, env)
	if run.env["TLS_DOMAIN"] != "" || run.env["THRUSTER_TLS_DOMAIN"] != "" {
		run.unknown("thrust opens a TLS port for TLS_DOMAIN")
	}
	run.p.Listens = append(run.p.Listens, inner.Listens...)
	if inner.Daemonizes == facts.Yes || inner.Ends != "" {
		run.unknown("what thrust runs does not stay")
	}
	run.unknownFrom(inner)
}
