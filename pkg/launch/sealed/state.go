package sealed

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/imglint/imglint/pkg/facts"
)

// cd to a directory that was not looked at loses the directory.
func (m *machine) cd(hc interp.HandlerContext, args []string) ([]string, error) {
	rest := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return a == "-P" || a == "-L" || a == "--" })
	target := ""
	if len(rest) == 1 {
		target = rest[0]
	}
	_, found := m.files.lookup(absolute(hc.Dir, target))
	switch {
	case target == "" || target == "-" || tainted(target) || m.lost && !strings.HasPrefix(target, "/"):
		m.lost = true
		return succeed, nil
	case found == facts.Yes:
		m.lost = false
		return []string{"cd", target}, nil
	case found == facts.Unknown || m.ran > 0:
		m.lost = true
		return succeed, nil
	}
	return []string{"false"}, nil
}

func (m *machine) pushd(interp.HandlerContext, []string) ([]string, error) {
	m.lost = true
	return succeed, nil
}

func (m *machine) pwd(hc interp.HandlerContext, _ []string) ([]string, error) {
	if m.lost {
		return m.print("$PWD"), nil
	}
	return []string{"printf", "%s\\n", hc.Dir}, nil
}

// exit with an unknown status is taken for success; the way ends either way.
func (m *machine) exit(hc interp.HandlerContext, args []string) ([]string, error) {
	if anyTainted(args) {
		m.asked = true
		return []string{args[0], "0"}, nil
	}
	if args[0] == "exit" && len(args) > 1 && args[1] != "0" {
		m.way.Why = fmt.Sprintf("line %d: the script ends with exit %s", hc.Pos.Line(), args[1])
	}
	return args, nil
}

// set keeps the options that change what runs.
func (m *machine) set(_ interp.HandlerContext, args []string) ([]string, error) {
	out := []string{"set"}
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" || a == "-" || len(a) < 2 || a[0] != '-' && a[0] != '+' {
			return append(append(out, "--"), args[min(len(args), i+truth(a == "--" || a == "-")):]...), nil
		}
		keep := a[:1]
		for _, c := range a[1:] {
			switch {
			case strings.ContainsRune("aefu", c):
				keep += string(c)
			case c == 'o' && i+1 < len(args):
				i++
				if slices.Contains([]string{"errexit", "nounset", "allexport", "noglob", "pipefail"}, args[i]) {
					out = append(out, a[:1]+"o", args[i])
				}
			}
		}
		if len(keep) > 1 {
			out = append(out, keep)
		}
	}
	if len(out) == 1 {
		return succeed, nil
	}
	return out, nil
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *machine) wait(interp.HandlerContext, []string) ([]string, error) {
	m.asked = true
	m.way.Waits = len(m.way.Background) > 0
	if m.pending >= 0 && !m.succeeds(m.pending) {
		return []string{"false"}, nil
	}
	return succeed, nil
}

func (m *machine) trap(_ interp.HandlerContext, args []string) ([]string, error) {
	if len(args) > 2 && args[1] != "-" {
		m.way.Traps = true
	}
	return succeed, nil
}

// kill asks, with -0, whether a process lives: a loop on it waits for the process.
func (m *machine) kill(_ interp.HandlerContext, args []string) ([]string, error) {
	m.asked = true
	if m.pending < 0 {
		return succeed, nil
	}
	loop := m.sites[m.pending].loop
	ok := m.succeeds(m.pending)
	if loop && slices.Contains(args, "-0") && ok == m.sites[m.pending].leave {
		m.way.Waits = len(m.way.Background) > 0
	}
	if ok {
		return succeed, nil
	}
	return []string{"false"}, nil
}

func (m *machine) umask(_ interp.HandlerContext, args []string) ([]string, error) {
	if len(args) > 1 {
		return succeed, nil
	}
	return []string{"printf", "%s\\n", "0022"}, nil
}

// shopt keeps the options that change how words expand.
func (m *machine) shopt(_ interp.HandlerContext, args []string) ([]string, error) {
	keep := []string{"-s", "-u", "nullglob", "globstar", "extglob", "dotglob", "nocaseglob"}
	if slices.ContainsFunc(args[1:], func(a string) bool { return !slices.Contains(keep, a) }) || len(args) < 3 {
		return succeed, nil
	}
	return args, nil
}

func (m *machine) compgen(interp.HandlerContext, []string) ([]string, error) {
	m.asked = true
	return m.print("$(compgen)"), nil
}
