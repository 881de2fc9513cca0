package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// processView is a process with its children.
type processView struct {
	PID      int
	Command  string
	Notes    string // user, listeners, what became of it
	Children []processView
}

// How many processes are shown, and how deep.
const (
	maxProcesses = 200
	maxDepth     = 16
)

// processes builds the tree of what was seen to run, each as it was last seen.
func processes(run *facts.Run) []processView {
	last := map[int]facts.Process{}
	var order []int
	for _, e := range run.Events {
		if e.Process == nil || e.Kind != facts.EventProcess && e.Kind != facts.EventSurvivor {
			continue
		}
		if _, ok := last[e.Process.PID]; !ok {
			if len(order) == maxProcesses {
				continue
			}
			order = append(order, e.Process.PID)
		}
		last[e.Process.PID] = *e.Process
	}
	children := map[int][]int{}
	for _, pid := range order {
		parent := last[pid].PPID
		if _, ok := last[parent]; !ok || parent == pid {
			parent = 0
		}
		children[parent] = append(children[parent], pid)
	}
	t := tree{run: run, listeners: run.Listeners(), last: last, children: children}
	return t.branch(0, 0)
}

// tree is what the branches are made of.
type tree struct {
	run       *facts.Run
	listeners []facts.Listener
	last      map[int]facts.Process
	children  map[int][]int
}

func (t tree) branch(parent, depth int) []processView {
	if depth == maxDepth {
		return nil
	}
	var all []processView
	for _, pid := range t.children[parent] {
		p := t.last[pid]
		all = append(all, processView{
			PID: pid, Command: clip(clean(strings.Join(p.Argv, " ")), 200), Notes: t.notes(p),
			Children: t.branch(pid, depth+1),
		})
	}
	return all
}

func (t tree) notes(p facts.Process) string {
	var notes []string
	if p.UID != 0 {
		notes = append(notes, fmt.Sprintf("user %d", p.UID))
	}
	for _, l := range t.listeners {
		if l.PID != p.PID {
			continue
		}
		if note := "listens on " + clip(clean(l.Address()), 80); !slices.Contains(notes, note) && len(notes) < 6 {
			notes = append(notes, note)
		}
	}
	if p.PID == 1 && t.run.Exit != nil {
		notes = append(notes, clean(exitText(t.run.Exit)))
	}
	return strings.Join(notes, " · ")
}

// survivors are what a second run left in the background.
func survivors(run *facts.Run) []processView {
	if run == nil {
		return nil
	}
	t := tree{run: run, listeners: run.Listeners()}
	var all []processView
	for _, p := range run.Survivors[:min(len(run.Survivors), maxProcesses)] {
		all = append(all, processView{PID: p.PID, Command: clip(clean(strings.Join(p.Argv, " ")), 200), Notes: t.notes(p)})
	}
	return all
}
