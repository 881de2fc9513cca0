package lint

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/run"
)

// groups puts the checks together that start the same program in the same
// surroundings, in order.
func groups(checks []*check) [][]*check {
	index := map[string]int{}
	var all [][]*check
	for _, c := range checks {
		key := c.surroundings()
		i, known := index[key]
		if !known {
			i = len(all)
			index[key] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], c)
	}
	return all
}

// surroundings is all that a program can notice of the platform, but for the
// variables that only name the platform, and for low ports: whether those
// would have mattered is seen in the run.
func (c *check) surroundings() string {
	env := map[string]string{}
	for _, kv := range slices.Concat(c.facts.Image.Config.Env, environment(c.facts, c.Options)) {
		key, value, _ := strings.Cut(kv, "=")
		env[key] = value
	}
	for _, kv := range c.marks() {
		key, _, _ := strings.Cut(kv, "=")
		delete(env, key)
	}
	parts := []string{c.facts.Target.Service, fmt.Sprint(c.edited, c.thorough), strings.Join(c.facts.Image.Config.Argv(), "\x00")}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		parts = append(parts, key+"="+env[key])
	}
	return strings.Join(parts, "\x01")
}

// marks are the variables that are called after the platform and tell no more
// than its name does: those of all platforms of a start are given.
func (c *check) marks() []string {
	prefix := strings.ToUpper(strings.ReplaceAll(c.facts.Target.Platform, "-", "_")) + "_"
	var all []string
	for _, kv := range c.facts.Target.Env {
		if strings.HasPrefix(kv, prefix) {
			all = append(all, kv)
		}
	}
	return all
}

// observeGroup makes the run of a group, and one of their own for those whose
// low ports are root's if that makes a difference.
func observeGroup(ctx context.Context, group []*check, starts *int) error {
	lenient, strict := byLowPorts(group)
	if len(lenient) == 0 || len(strict) == 0 {
		return observeAll(ctx, group, starts)
	}
	if err := observeAll(ctx, append(lenient, strict...), starts); err != nil {
		return err
	}
	if !bindsLow(lenient[0].facts) {
		return nil
	}
	for _, c := range strict {
		c.facts.Run, c.facts.Wrapped = nil, nil
	}
	return observeAll(ctx, strict, starts)
}

// byLowPorts tells checks apart whose platforms keep low ports for root.
func byLowPorts(group []*check) (lenient, strict []*check) {
	for _, c := range group {
		if c.facts.Target.PrivilegedPorts == facts.No {
			strict = append(strict, c)
		} else {
			lenient = append(lenient, c)
		}
	}
	return lenient, strict
}

// firstOpenPort is where every user may listen.
const firstOpenPort = 1024

// bindsLow reports whether somebody other than root listened on a low port.
func bindsLow(f *facts.Facts) bool {
	if f.Run == nil {
		return false
	}
	return slices.ContainsFunc(f.Run.Listeners(), func(l facts.Listener) bool {
		return l.Port > 0 && l.Port < firstOpenPort && l.UID != 0
	})
}

// observeAll makes one run for all, and the wrapped one if the program ended
// with code 0, and gives each check its view.
func observeAll(ctx context.Context, group []*check, starts *int) error {
	lead := group[0]
	if lead.Static || len(lead.facts.Launch.Argv) == 0 {
		return nil
	}
	before := len(lead.facts.NotChecked)
	defer func() {
		for _, c := range group[1:] {
			c.unseen = lead.unseen
			c.facts.NotChecked = append(c.facts.NotChecked, lead.facts.NotChecked[before:]...)
		}
	}()
	observer, ok := lead.runnable()
	if !ok {
		return nil
	}
	if !lead.brief {
		lead.watch.Doing(waitingFor(group))
	}
	*starts++
	seen, err := lead.startFor(ctx, observer, group, false)
	if err != nil || seen == nil {
		return err
	}
	var ended []*check
	for i, c := range group {
		view := run.View(*seen, groupSpec(group, false), i)
		c.facts.Run = &view
		if endedWell(c.facts) {
			ended = append(ended, c)
		}
	}
	if len(ended) == 0 || lead.brief {
		return nil
	}
	lead.watch.Doing("starting it once more to see what it left in the background")
	*starts++
	again, err := lead.startFor(ctx, observer, ended, true)
	if err != nil || again == nil {
		return err
	}
	for i, c := range ended {
		view := run.View(*again, groupSpec(ended, true), i)
		c.facts.Wrapped = &view
	}
	return nil
}

// endedWell reports whether the program ended as one that goes to the background.
func endedWell(f *facts.Facts) bool {
	exit := f.Run.Exit
	return exit != nil && exit.Code == 0 && exit.Refused == "" && f.Prediction.Interactive == ""
}

func (c *check) startFor(ctx context.Context, o run.Observer, group []*check, wrapped bool) (*facts.Run, error) {
	return c.start(ctx, o, c.facts, groupSpec(group, wrapped))
}

func groupSpec(group []*check, wrapped bool) run.Spec {
	spec := group[0].spec(group[0].facts)
	for _, c := range group[1:] {
		spec.Also = append(spec.Also, c.facts.Target)
		for _, kv := range c.marks() {
			if !slices.Contains(spec.Env, kv) {
				spec.Env = append(spec.Env, kv)
			}
		}
	}
	spec.Wrapped = wrapped
	return spec
}

func waitingFor(group []*check) string {
	var names []string
	for _, c := range group {
		if !slices.Contains(names, c.facts.Target.Platform) {
			names = append(names, c.facts.Target.Platform)
		}
	}
	return "starting it as " + strings.Join(names, ", ") + " would"
}
