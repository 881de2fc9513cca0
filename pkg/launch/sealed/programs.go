package sealed

import (
	"context"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/launch"
)

// program answers in the place of one that the script runs; ok is false when
// only a run can tell.
type program func(m *machine, hc interp.HandlerContext, args []string) (out string, status int, ok bool)

// programs are the few whose answer the image decides.
var programs = map[string]program{
	"cat": (*machine).cat, "dirname": names(path.Dir), "basename": (*machine).basename, "id": (*machine).id, "whoami": (*machine).whoami,
	"which": (*machine).whichProgram, "sort": (*machine).sort, "find": (*machine).find, "printenv": (*machine).printenv,
	"realpath": (*machine).realpath, "readlink": (*machine).realpath, "grep": (*machine).grep, "egrep": (*machine).grep, "expr": nothing,
	"tr": (*machine).tr, "uname": (*machine).uname,
	"mkdir": (*machine).mkdir, "touch": (*machine).touch, "rm": (*machine).rm,
	"chown": silent, "chmod": silent, "chgrp": silent, "sync": silent, "clear": silent, "stty": silent,
	"tee": (*machine).tee, "sleep": (*machine).sleep, "sed": (*machine).sed, "envsubst": (*machine).envsubst,
	"cp": (*machine).cp, "mv": (*machine).cp,
}

func silent(*machine, interp.HandlerContext, []string) (string, int, bool)  { return "", 0, true }
func nothing(*machine, interp.HandlerContext, []string) (string, int, bool) { return "", 0, false }

func names(f func(string) string) program {
	return func(_ *machine, _ interp.HandlerContext, args []string) (string, int, bool) {
		last := args[len(args)-1]
		return f(last) + "\n", 0, len(args) == 2 && !tainted(last)
	}
}

// exec takes the place of every program.
func (m *machine) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	out, err := m.instead(hc, args)
	io.WriteString(hc.Stdout, out) //nolint:errcheck // memory, or a pipe that nobody reads any more
	return err
}

// instead is what a program prints and how it ends.
func (m *machine) instead(hc interp.HandlerContext, args []string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done {
		return "", errDone
	}
	if strings.HasPrefix(args[0], "__imglint_") {
		return "", m.end(launch.WayUndecided, "a file is included in a subshell")
	}
	pending := -1
	if args[0] == opCond {
		pending, _ = strconv.Atoi(args[1])
		args = args[2:]
	}
	if f, ok := programs[path.Base(args[0])]; ok {
		out, status, ok := f(m, hc, args)
		if ok && status != 0 {
			return out, interp.ExitStatus(status)
		}
		if ok {
			return out, nil
		}
	} else if _, found := m.which(hc, args[0]); found == facts.No && m.ran == 0 {
		return "", interp.ExitStatus(127)
	}
	return m.unknownProgram(hc, args, pending)
}

// maxRepeats is how often the same words make a loop that does not end.
const maxRepeats = 24

// unknownProgram runs, as far as anyone knows, to its end.
func (m *machine) unknownProgram(hc interp.HandlerContext, args []string, pending int) (string, error) {
	line := strings.Join(m.spellAll(args), " ")
	c := m.command(hc, args)
	key := hc.Pos.String() + line
	if m.repeats[key]++; m.repeats[key] > maxRepeats {
		m.way.Command, m.way.Line, m.way.File = &c, int(hc.Pos.Line()), m.script.Name
		return "", m.end(launch.WayLoop, "")
	}
	if m.repeats[key] == 1 && path.Base(args[0]) != "sleep" {
		m.before(c, m.script.Name, int(hc.Pos.Line()))
	}
	if !askers[path.Base(args[0])] {
		m.ran++
	}
	m.asked = true
	out := string(m.unknown("$("+line+")")) + "\n"
	sleeps := path.Base(args[0]) == "sleep" // which never fails
	if pending >= 0 && !sleeps && !m.succeeds(pending) {
		return out, interp.ExitStatus(1)
	}
	return out, nil
}

// askers are programs that make no files.
var askers = map[string]bool{
	"sleep": true, "nc": true, "curl": true, "wget": true, "pg_isready": true, "mysqladmin": true, "redis-cli": true, "getent": true,
	"hostname": true, "date": true, "nproc": true, "id": true, "ls": true, "ps": true, "pgrep": true, "stat": true, "test": true,
	"wait-for-it": true, "wait-for-it.sh": true, "wait-for": true, "ping": true, "nslookup": true, "dig": true, "host": true,
	"awk": true, "cut": true, "head": true, "tail": true, "grep": true, "sed": false, "jq": true, "wc": true, "tr": true, "seq": true,
	"expr": true, "find": true, "env": true, "cat": true, "free": true, "df": true, "ip": true, "ifconfig": true, "netstat": true, "ss": true,
}

// which looks a program up on the script's PATH.
func (m *machine) which(hc interp.HandlerContext, name string) (string, facts.Tri) {
	if tainted(name) {
		return "", facts.Unknown
	}
	if strings.Contains(name, "/") {
		return name, m.executable(absolute(hc.Dir, name))
	}
	all := facts.No
	for dir := range strings.SplitSeq(hc.Env.Get("PATH").String(), ":") {
		switch file := absolute(hc.Dir, path.Join(dir, name)); m.executable(file) {
		case facts.Yes:
			return file, facts.Yes
		case facts.Unknown:
			all = facts.Unknown
		}
	}
	if m.ran > 0 {
		return "", facts.Unknown
	}
	return "", all
}

func (m *machine) executable(file string) facts.Tri {
	i, found := m.files.lookup(file)
	if found == facts.Yes && (i.IsDir() || i.Mode().IsRegular() && i.Mode()&0o111 == 0) {
		return facts.No
	}
	return found
}

// input reads what a program would: its files, or what is piped into it.
func (m *machine) input(hc interp.HandlerContext, files []string) (string, bool) {
	var all strings.Builder
	for _, name := range files {
		if name == "-" {
			continue
		}
		text, err := m.files.text(absolute(hc.Dir, name))
		if err != nil || tainted(name) {
			return "", false
		}
		all.WriteString(text)
	}
	if len(files) == 0 {
		if hc.Stdin == nil {
			return "", true
		}
		m.mu.Unlock() // the other side of the pipe has to go on
		text, err := io.ReadAll(io.LimitReader(hc.Stdin, maxBytes))
		m.mu.Lock()
		if err != nil {
			return "", false
		}
		all.Write(text)
	}
	return all.String(), true
}

func options(args []string) (flags string, rest []string) {
	for i, a := range args[1:] {
		if a == "--" {
			return flags, append(rest, args[i+2:]...)
		}
		if len(a) > 1 && a[0] == '-' {
			flags += a[1:]
			continue
		}
		rest = append(rest, a)
	}
	return flags, rest
}

func (m *machine) basename(_ interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) < 2 || len(args) > 3 || anyTainted(args) {
		return "", 0, false
	}
	name := path.Base(args[1])
	if len(args) == 3 && name != args[2] {
		name = strings.TrimSuffix(name, args[2])
	}
	return name + "\n", 0, true
}

func (m *machine) id(_ interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) == 2 && args[1] == "-u" && m.script.UID >= 0 {
		return strconv.Itoa(m.script.UID) + "\n", 0, true
	}
	if len(args) == 2 && args[1] == "-g" && m.script.UID == 0 {
		return "0\n", 0, true
	}
	return m.whoami(interp.HandlerContext{}, slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-un" }))
}

func (m *machine) whoami(_ interp.HandlerContext, args []string) (string, int, bool) {
	return "root\n", 0, len(args) == 1 && m.script.UID == 0
}

func (m *machine) whichProgram(hc interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) != 2 {
		return "", 0, false
	}
	where, found := m.which(hc, args[1])
	if found == facts.No {
		return "", 1, true
	}
	return where + "\n", 0, found == facts.Yes
}

func (m *machine) printenv(hc interp.HandlerContext, args []string) (string, int, bool) {
	if len(args) != 2 {
		return "", 0, false
	}
	value := hc.Env.Get(args[1])
	if !value.Exported || !value.IsSet() {
		return "", 1, true
	}
	return value.String() + "\n", 0, true
}

func (m *machine) uname(_ interp.HandlerContext, args []string) (string, int, bool) {
	return "Linux\n", 0, len(args) == 1 || len(args) == 2 && args[1] == "-s"
}

func (m *machine) realpath(hc interp.HandlerContext, args []string) (string, int, bool) {
	_, rest := options(args)
	if len(rest) != 1 || anyTainted(rest) || m.lost {
		return "", 0, false
	}
	name := absolute(hc.Dir, rest[0])
	i, found := m.files.lookup(name)
	return name + "\n", 0, found == facts.Yes && i.Mode()&^0o777 == 0 && args[0] != "readlink" || found == facts.Yes && name == m.script.Name
}
