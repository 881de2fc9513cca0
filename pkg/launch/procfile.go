package launch

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// procfileManager runs the lines of a Procfile, each with a PORT of its own.
// Sources: foreman 0.87.2 measured; the others' documentation and code.
type procfileManager struct {
	start      []string // the subcommands that start processes; nil: none is needed
	files      []string // options that name the Procfile
	dirs       []string // options that name the directory
	ports      []string // options that name the first port
	portEnv    []string // variables that do, first wins
	only       []string // options that list the processes to start
	background []string // options that send it to the background
	noPorts    []string // options after which PORT is left alone
	values     []string // other options with a value
	flags      []string
	selected   bool // ports count only the processes that are started
	file       bool // the argument is the Procfile
	dotenv     bool // .env is read
}

var procfileManagers = map[string]procfileManager{
	"honcho": {
		start: []string{"start"}, files: []string{"-f", "--procfile"}, dirs: []string{"-d", "--app-root"}, ports: []string{"-p", "--port"}, portEnv: []string{"PORT"},
		values: []string{"-e", "--env", "-c", "--concurrency"}, flags: []string{"-q", "--quiet", "--no-colour", "--no-prefix"}, selected: true, dotenv: true,
	},
	"foreman": {
		start: []string{"start", "s"}, files: []string{"-f", "--procfile"}, dirs: []string{"-d", "--root"}, ports: []string{"-p", "--port"}, portEnv: []string{"PORT"},
		values: []string{"-e", "--env", "-m", "--formation", "-c", "--concurrency", "-t", "--timeout"}, flags: []string{"--color", "--no-color", "--timestamp", "--no-timestamp"}, dotenv: true,
	},
	"overmind": {
		start: []string{"start", "s"}, files: []string{"-f", "--procfile"}, dirs: []string{"-d", "--root"}, ports: []string{"-p", "--port"}, portEnv: []string{"OVERMIND_PORT", "PORT"},
		only: []string{"-l", "--processes"}, background: []string{"-D", "--daemonize"}, noPorts: []string{"-N", "--no-port"},
		values: []string{"-x", "--ignored-processes", "-P", "--port-step", "-w", "--title", "-t", "--timeout", "-s", "--socket", "-c", "--can-die", "-r", "--auto-restart", "-m", "--formation", "-i", "--stop-signals", "-F", "--tmux-config", "-H", "--shell", "-b", "--colors", "-T"},
		flags:  []string{"--any-can-die", "--no-port"}, dotenv: true,
	},
	"goreman": {
		start: []string{"start"}, files: []string{"-f"}, dirs: []string{"-basedir", "--basedir"}, ports: []string{"-b", "--b"},
		values: []string{"-p"}, flags: []string{"-exit-on-error", "-exit-on-stop", "-logtime"}, dotenv: true,
	},
	"forego":   {start: []string{"start"}, files: []string{"-f"}, ports: []string{"-p"}, portEnv: []string{"PORT"}, values: []string{"-e", "-m", "-t"}, flags: []string{"-r"}, dotenv: true},
	"hivemind": {files: []string{}, dirs: []string{"-d", "--root"}, ports: []string{"-p", "--port"}, portEnv: []string{"HIVEMIND_PORT", "PORT"}, only: []string{"-l", "--processes"}, values: []string{"-P", "--port-step", "-t", "--timeout", "-W", "--title"}, flags: []string{"--print-timestamps", "--as-root", "-R", "-T"}, file: true},
}

// process is one line of a Procfile.
type process struct {
	name, line string
	number     int // of the line
	port       int // 0: PORT is left alone
}

var procfileLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+)$`)

// processes follows the manager of a Procfile: one of its processes is taken
// for the command, the others run beside it.
func (f *follower) processes(words []word, m procfileManager) []word {
	name := path.Base(words[0].Text)
	if len(words) > 2 && words[1].Text == "run" && m.dotenv {
		f.loadEnv(resolve(f.dir, ".env"), true)
		f.trail(where(words), "%s runs %s", name, words[2].Text)
		return skipDashes(words[2:])
	}
	rest, options, why := wrapper{Name: name, Flags: slices.Concat(m.flags, m.background, m.noPorts), Values: slices.Concat(m.files, m.dirs, m.ports, m.only, m.values), Subcommand: m.start, GoFlags: name == "goreman", Permutes: true}.parseAll(words)
	switch {
	case why != "":
		return f.settle(words, facts.Unknown, why)
	case rest == nil:
		return f.settle(words, facts.Yes, "")
	}
	if dir, ok := find(options, m.dirs); ok {
		f.dir = resolve(f.dir, dir.Text)
	}
	file := "Procfile"
	if o, ok := find(options, m.files); ok {
		file = o.Text
	} else if m.file && len(rest) > 0 {
		file, rest = rest[0].Text, nil
	}
	if o, ok := find(options, m.only); ok {
		for _, one := range strings.Split(o.Text, ",") {
			rest = append(rest, known(one))
		}
	}
	file = resolve(f.dir, file)
	text, err := f.read(file)
	if err != nil {
		return f.settle(words, facts.Unknown, fmt.Sprintf("%s cannot be read: %v", file, err))
	}
	if m.dotenv {
		f.loadEnv(resolve(f.dir, ".env"), true)
	}
	all := m.chosen(text, texts(rest), f.basePort(options, m))
	if len(all) == 0 {
		return f.settle(words, facts.Unknown, file+" names no process to start")
	}
	if has(m.background, options) {
		f.launch.Ends = name + " goes to the background"
	}
	return f.runProcesses(name, file, all)
}

// basePort is the first port that is handed out, 0: none is.
func (f *follower) basePort(options []option, m procfileManager) int {
	if has(m.noPorts, options) {
		return 0
	}
	text := "5000"
	for _, name := range slices.Backward(m.portEnv) {
		if value, set, certain := f.vars.lookup(name); set && certain && value != "" {
			text = value
		}
	}
	if o, ok := find(options, m.ports); ok {
		text = o.Text
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return port
}

// chosen are the processes to start, in the file's order.
func (m procfileManager) chosen(text string, only []string, port int) []process {
	var all []process
	index := 0
	for i, line := range strings.Split(text, "\n") {
		match := procfileLine.FindStringSubmatch(strings.TrimRight(line, "\r"))
		if match == nil {
			continue
		}
		wanted := len(only) == 0 || slices.Contains(only, match[1])
		p := process{name: match[1], line: match[2], number: i + 1}
		if port > 0 {
			p.port = port + 100*index
		}
		if wanted || !m.selected {
			index++
		}
		if wanted {
			all = append(all, p)
		}
	}
	return all
}

// runProcesses goes on with the process that most likely serves.
func (f *follower) runProcesses(manager, file string, all []process) []word {
	main := max(0, slices.IndexFunc(all, func(p process) bool { return p.name == "web" }))
	if f.first != facts.No && f.launch.Shell == "" {
		f.launch.Shell = manager
	}
	f.first = facts.No
	old, had := f.vars["PORT"]
	for i, p := range all {
		if i != main {
			f.setPort(p)
			f.beside(f.command([]word{known("sh"), known("-c"), known(p.line)}))
		}
	}
	delete(f.vars, "PORT")
	if had {
		f.vars["PORT"] = old
	}
	f.setPort(all[main])
	with := ""
	if all[main].port > 0 {
		with = fmt.Sprintf(" with PORT=%d", all[main].port)
	}
	f.trail(fmt.Sprintf("%s:%d", file, all[main].number), "%s runs %s%s: %s", manager, all[main].name, with, all[main].line)
	return []word{known("sh"), known("-c"), known(all[main].line)}
}

func (f *follower) setPort(p process) {
	if p.port > 0 {
		f.vars.set("PORT", strconv.Itoa(p.port), true, true)
	}
}

// beside records a command that runs beside the one that is followed.
func (f *follower) beside(c facts.Command) {
	c = f.resolved(c)
	if len(c.Runs) > 0 {
		f.launch.Before = append(f.launch.Before, c.Runs[:len(c.Runs)-1]...)
		c = c.Runs[len(c.Runs)-1]
	}
	f.launch.Background = append(f.launch.Background, c)
}

var envLine = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$`)

// loadEnv sets the variables of a .env file, those that are set already only
// when it wins; a file that is not there sets none.
func (f *follower) loadEnv(file string, wins bool) {
	text, err := f.read(file)
	if err != nil {
		if f.exists(file) != facts.No {
			f.blind = file + " sets variables and was not read"
		}
		return
	}
	for line := range strings.Lines(text) {
		match := envLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if match == nil {
			continue
		}
		if _, set, _ := f.vars.lookup(match[1]); set && !wins {
			continue
		}
		value, plain := unquoteEnv(match[2])
		f.vars.set(match[1], value, plain, true)
	}
}

// unquoteEnv takes the quotes off; what expands or is encrypted is not plain.
func unquoteEnv(text string) (value string, plain bool) {
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return text[1 : len(text)-1], text[0] == '\'' || !strings.ContainsAny(text, `$\`)
	}
	if at := strings.Index(text, " #"); at >= 0 {
		text = strings.TrimSpace(text[:at])
	}
	return text, !strings.ContainsAny(text, "$`\"'\\") && !strings.HasPrefix(text, "encrypted:")
}
