package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// service is one supervised run script.
type service struct {
	name, run string
	clean     bool // it is started without the container's environment
}

// tree says which directories of run scripts words start; main are the words
// of a command that the supervisor runs besides, and ends with.
func (f *follower) tree(words []word) (services []service, main []word, why string, ok bool) {
	name, args := path.Base(words[0].Text), words[1:]
	switch {
	case words[0].Text == "/init" && f.hasOverlay():
		services, why = f.overlayServices()
		return services, args, why, true
	case name == "runsvdir" || name == "s6-svscan":
		for len(args) > 0 && strings.HasPrefix(args[0].Text, "-") {
			if args[0].Text == "-t" || args[0].Text == "-c" || args[0].Text == "-d" {
				args = args[min(1, len(args)-1):]
			}
			args = args[1:]
		}
		if len(args) == 0 {
			return nil, nil, name + " is given no directory", true
		}
		services, why = f.runScripts(resolve(f.dir, args[0].Text), false)
		return services, nil, why, true
	case name == "my_init":
		for len(args) > 0 && strings.HasPrefix(args[0].Text, "-") {
			args = args[1:]
		}
		services, why = f.runScripts("/etc/service", false)
		return services, args, why, true
	}
	return nil, nil, "", false
}

// hasOverlay reports whether /init is that of s6-overlay.
func (f *follower) hasOverlay() bool {
	return slices.ContainsFunc([]string{"/package/admin/s6-overlay", "/etc/s6-overlay", "/etc/services.d", "/etc/s6/init"}, func(dir string) bool {
		return f.exists(dir) == facts.Yes
	})
}

// overlayServices lists what s6-overlay starts: run scripts of version 2, and
// the long-running members of version 3's user bundle.
func (f *follower) overlayServices() (all []service, why string) {
	if names, err := f.names("/etc/cont-init.d"); err != nil {
		return nil, "/etc/cont-init.d was not read"
	} else {
		for _, name := range names {
			f.launch.Before = append(f.launch.Before, f.resolved(f.command([]word{known("/etc/cont-init.d/" + name)})))
		}
	}
	all, why = f.runScripts("/etc/services.d", true)
	if why != "" {
		return nil, why
	}
	const definitions = "/etc/s6-overlay/s6-rc.d"
	names, err := f.names(definitions + "/user/contents.d")
	if err != nil {
		return nil, definitions + " was not read"
	}
	for _, name := range names {
		kind, err := f.read(path.Join(definitions, name, "type"))
		switch run := path.Join(definitions, name, "run"); {
		case err != nil:
			return nil, path.Join(definitions, name, "type") + " was not read"
		case strings.TrimSpace(kind) == "longrun":
			all = append(all, service{name, run, !f.keepsEnv(run)})
		default: // its script is of another language
			f.launch.Before = append(f.launch.Before, facts.Command{Argv: []facts.Word{{Text: path.Join(definitions, name, "up")}}})
		}
	}
	return all, ""
}

// runScripts lists the run scripts of a directory of services.
func (f *follower) runScripts(dir string, clean bool) (all []service, why string) {
	names, err := f.names(dir)
	if err != nil {
		return nil, dir + " was not read"
	}
	for _, name := range names {
		run := path.Join(dir, name, "run")
		if strings.HasPrefix(name, ".") || f.exists(path.Join(dir, name, "down")) == facts.Yes {
			continue
		}
		switch f.exists(run) {
		case facts.Yes:
			all = append(all, service{name, run, clean && !f.keepsEnv(run)})
		case facts.Unknown:
			return nil, run + " was not read"
		}
	}
	return all, ""
}

// keepsEnv reports whether a run script fetches the container's environment.
func (f *follower) keepsEnv(run string) bool {
	head, err := f.head(run, maxHead)
	line, _, _ := strings.Cut(string(head), "\n")
	keep, set, _ := f.vars.lookup("S6_KEEP_ENV")
	return err == nil && strings.Contains(line, "with-contenv") || set && keep != "0" && keep != ""
}

// names lists a directory; one that is not there is empty.
func (f *follower) names(dir string) ([]string, error) {
	if f.files == nil {
		return nil, facts.ErrNotExamined
	}
	entries, err := fs.ReadDir(f.files, inside(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// supervise follows a supervisor to one of its services; the others run
// beside it.
func (f *follower) supervise(words []word, services []service, main []word, why string) []word {
	name := path.Base(words[0].Text)
	if why != "" {
		return f.settle(words, facts.Unknown, why)
	}
	if len(main) == 0 && len(services) == 0 {
		return f.settle(words, facts.Unknown, name+" finds no service to start")
	}
	chosen := -1
	if len(main) == 0 {
		chosen = max(0, slices.IndexFunc(services, func(s service) bool { return !helper(s.name) }))
	}
	if f.first != facts.No && f.launch.Shell == "" {
		f.launch.Shell = name
	}
	f.first = facts.No
	for i, s := range services {
		if i != chosen {
			f.beside(f.service(s))
		}
	}
	if chosen < 0 {
		f.trail(where(words), "%s runs %s", name, strings.Join(texts(main), " "))
		return main
	}
	s := services[chosen]
	f.trail(s.run, "%s runs the service %s", name, s.name)
	if s.clean {
		f.clearEnv()
		f.vars = newVars(nil)
	}
	return []word{known(s.run)}
}

// service is the command of a service.
func (f *follower) service(s service) facts.Command {
	c := f.command([]word{known(s.run)})
	if s.clean {
		c.Env = nil
	}
	return c
}

// helper tells by its name a service that only helps another one.
func helper(name string) bool {
	return slices.ContainsFunc([]string{"cron", "log", "sshd", "ssh", "redis", "worker", "queue", "init", "setup"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

// startStopDaemon follows start-stop-daemon --start --exec PROGRAM -- ARGUMENTS.
func (f *follower) startStopDaemon(words []word) []word {
	w := wrapper{
		Name:  "start-stop-daemon",
		Flags: []string{"-S", "--start", "-K", "--stop", "-b", "--background", "-m", "--make-pidfile", "-q", "--quiet", "-v", "--verbose", "-o", "--oknodo", "-t", "--test", "-C", "--no-close"},
		Values: []string{
			"-x", "--exec", "-a", "--startas", "-p", "--pidfile", "-u", "--user", "-c", "--chuid", "-d", "--chdir", "-N", "--nicelevel", "-r", "--chroot",
			"-R", "--retry", "-n", "--name", "-s", "--signal", "-k", "--umask", "-O", "--output", "-g", "--group",
		},
	}
	rest, options, why := w.parse(words)
	program, ok := find(options, []string{"-a", "--startas"})
	if !ok {
		program, ok = find(options, []string{"-x", "--exec"})
	}
	switch {
	case why != "":
		return f.settle(words, facts.Unknown, why)
	case !ok || !has([]string{"-S", "--start"}, options):
		return f.settle(words, facts.Yes, "")
	}
	if user, ok := find(options, []string{"-c", "--chuid"}); ok {
		f.user = user.Text
	}
	f.dir = "/"
	if dir, ok := find(options, []string{"-d", "--chdir"}); ok {
		f.dir = dir.Text
	}
	if has([]string{"-b", "--background"}, options) {
		f.launch.Ends = fmt.Sprintf("start-stop-daemon sends %s to the background and ends", program.Text)
	}
	f.trail(where(words), "start-stop-daemon runs %s", program.Text)
	return append([]word{program}, rest...)
}
