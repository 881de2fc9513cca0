package servers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// decide finds out whether the program stays in the foreground.
func (run *invocation) decide() {
	table := run.server.optionTable()
	for _, name := range []string{"--version", "--help"} {
		if o := run.option([]string{name}); o != nil && table[name] == 0 {
			run.p.Ends, run.p.Complete = fmt.Sprintf("%s %s only prints and ends", run.program, name), true
			return
		}
	}
	for _, d := range run.server.Decide {
		why, applies := run.applies(d)
		switch applies {
		case facts.Unknown:
			run.p.DaemonWhy = why
			return
		case facts.Yes:
			run.conclude(d, why)
			return
		}
	}
	run.p.Daemonizes = facts.No
	if len(run.server.Decide) > 0 {
		run.p.DaemonWhy = run.server.Title + "'s default"
	}
}

func (run *invocation) conclude(d decision, why string) {
	switch d.Then {
	case "foreground":
		run.p.Daemonizes, run.p.DaemonWhy = facts.No, why
	case "daemon":
		run.p.Daemonizes, run.p.DaemonWhy = facts.Yes, why
	case "ends":
		run.p.Ends, run.p.Complete = d.says(run, why), true
	case "interactive":
		run.p.Interactive, run.p.Complete = d.says(run, why), true
	case "unknown":
		run.p.DaemonWhy = d.says(run, why)
		run.doubt, run.hides = run.p.DaemonWhy, d.Hides
	}
}

func (d decision) says(run *invocation, why string) string {
	if d.Says != "" {
		return d.Says
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s ends at once", run.program, why))
}

// applies reports whether all conditions of a decision hold; why is what a
// reader is told.
func (run *invocation) applies(d decision) (why string, result facts.Tri) {
	why = run.server.Title + "'s default"
	if d.Bare {
		return "no arguments", truth(len(run.command.Argv) <= run.insert)
	}
	for _, condition := range []func(decision) (string, facts.Tri){run.byFlag, run.byWord, run.byEnv, run.byConf} {
		says, holds := condition(d)
		switch {
		case holds != facts.Yes:
			return says, holds
		case says != "":
			why = says
		}
	}
	return why, facts.Yes
}

func (run *invocation) byFlag(d decision) (string, facts.Tri) {
	if len(d.Flags) == 0 {
		return "", facts.Yes
	}
	o := run.flagged(d)
	if o == nil {
		return "", facts.No
	}
	if err := run.known(o); err != nil {
		return err.Error(), facts.Unknown
	}
	return strings.TrimSpace(o.name + " " + o.value), facts.Yes
}

func (run *invocation) byWord(d decision) (string, facts.Tri) {
	byPattern := d.Value != "" && len(d.Flags) == 0 && d.Conf == nil
	if len(d.Words) == 0 && !byPattern {
		return "", facts.Yes
	}
	word := run.subcommand()
	if word == "" || byPattern && !regexp.MustCompile(d.Value).MatchString(word) || !byPattern && !slices.Contains(d.Words, word) {
		return "", facts.No
	}
	return word, facts.Yes
}

func (run *invocation) byEnv(d decision) (string, facts.Tri) {
	if len(d.Env) == 0 {
		return "", facts.Yes
	}
	i := slices.IndexFunc(d.Env, func(name string) bool { return run.env[name] != "" })
	if i < 0 {
		return "", facts.No
	}
	return "env " + d.Env[i], facts.Yes
}

func (run *invocation) byConf(d decision) (string, facts.Tri) {
	if d.Conf == nil {
		return "", facts.Yes
	}
	values := run.configured(d.Conf)
	switch {
	case len(values) == 0:
		return "", facts.No
	case values[0].err != nil:
		return values[0].err.Error(), facts.Unknown
	}
	v := values[len(values)-1]
	if len(d.Flags) == 0 && d.Value != "" && !regexp.MustCompile(d.Value).MatchString(v.text) {
		return "", facts.No
	}
	return v.from, facts.Yes
}

func (run *invocation) flagged(d decision) *option {
	if d.Value == "" {
		return run.option(d.Flags)
	}
	pattern := regexp.MustCompile(d.Value)
	o := run.option(d.Flags) // the last one counts
	if o != nil && pattern.MatchString(o.value) {
		return o
	}
	return nil
}

func truth(b bool) facts.Tri {
	if b {
		return facts.Yes
	}
	return facts.No
}
