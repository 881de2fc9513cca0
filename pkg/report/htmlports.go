package report

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// portView is one port's way from EXPOSE to an answer.
type portView struct {
	Port  int
	Asked bool
	Steps []stepView
}

// stepView is one step of it; Class is pass, fail or none.
type stepView struct{ Name, Text, Class string }

// maxPorts bounds the ports that are shown; the endpoint is always one of them.
const maxPorts = 12

// ports compares what is exposed, asked, listening and reachable.
func ports(f *facts.Facts) []portView {
	var numbers []int
	for _, p := range f.Image.Config.Exposed {
		if p.Protocol == "tcp" {
			numbers = append(numbers, p.Number)
		}
	}
	if f.Run != nil {
		for _, l := range f.Run.Listeners() {
			if l.Network == "tcp" {
				numbers = append(numbers, l.Port)
			}
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	endpoint := f.Target.Endpoint.Port
	numbers = slices.DeleteFunc(numbers, func(n int) bool { return n == endpoint })
	if endpoint != 0 {
		numbers = append([]int{endpoint}, numbers...)
	}
	var all []portView
	for _, n := range numbers[:min(len(numbers), maxPorts)] {
		all = append(all, portOf(f, n))
	}
	return all
}

func portOf(f *facts.Facts, n int) portView {
	v := portView{Port: n, Asked: n == f.Target.Endpoint.Port}
	exposed := stepView{"exposed", "no EXPOSE", "none"}
	if slices.Contains(f.Image.Config.Exposed, facts.Port{Number: n, Protocol: "tcp"}) {
		exposed = stepView{"exposed", fmt.Sprintf("EXPOSE %d", n), "pass"}
	}
	probed := stepView{"asked", "not asked", "none"}
	if v.Asked {
		probed = stepView{"asked", clean(targetName(f.Target)) + " asks this port", "pass"}
	}
	v.Steps = []stepView{exposed, probed}
	if f.Run != nil {
		v.Steps = append(v.Steps, listening(f, n), reached(f, n))
	} else {
		v.Steps = append(v.Steps, foretold(f, n))
	}
	return v
}

// foretold is what the image lets expect.
func foretold(f *facts.Facts, n int) stepView {
	for _, l := range f.Prediction.Listens {
		if l.Network != "tcp" || l.Port != n {
			continue
		}
		step := stepView{"expected", clean(fmt.Sprintf("%s:%d", l.Host, l.Port)), "pass"}
		if l.Scope == facts.ScopeLoopback {
			step.Class = "fail"
		}
		return step
	}
	return stepView{"expected", "not known", "none"}
}

func listening(f *facts.Facts, n int) stepView {
	var texts []string
	class := "none"
	for _, l := range f.Run.Listeners() {
		if l.Network != "tcp" || l.Port != n {
			continue
		}
		text := l.Address()
		if name := program(l.Argv); name != "" {
			text = name + " on " + text
		}
		if l.Closed != 0 {
			text += fmt.Sprintf(", closed at %.1fs", l.Closed.Seconds())
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
		if l.Closed == 0 && (l.Scope() != facts.ScopeLoopback || f.Target.LoopbackReached) {
			class = "pass"
		} else if class == "none" {
			class = "fail"
		}
	}
	if len(texts) == 0 {
		class = map[bool]string{true: "fail", false: "none"}[n == f.Target.Endpoint.Port]
		return stepView{"listening", "nothing listens", class}
	}
	return stepView{"listening", clean(strings.Join(texts[:min(3, len(texts))], "; ")), class}
}

// reached is the last outcome from outside.
func reached(f *facts.Facts, n int) stepView {
	step := stepView{"reached from outside", "not tried", "none"}
	for _, e := range f.Run.Answers(n) {
		if e.Answer.Loopback() && !f.Target.LoopbackReached {
			continue
		}
		step.Text, step.Class = outcome(e.Answer), outcomeClass(f.Target.Probe, e.Answer)
	}
	return step
}

// program is the name by which people know a process: of a script, the script.
func program(argv []string) string {
	words := strings.Fields(strings.Join(argv[:min(1, len(argv))], ""))
	if len(words) == 0 {
		return ""
	}
	// Some write a title there: "nginx: master process", "puma 5.6.5 (tcp://…".
	name := path.Base(strings.TrimSuffix(words[0], ":"))
	if len(argv) > 1 && !strings.HasPrefix(argv[1], "-") && interpreters[strings.TrimRight(name, "0123456789.")] {
		name = path.Base(argv[1])
	}
	return clip(clean(name), 40)
}

var interpreters = map[string]bool{"python": true, "ruby": true, "node": true, "perl": true, "sh": true, "bash": true, "dash": true, "php": true}
