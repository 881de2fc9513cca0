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
	return branch(run, last, children, 0, 0)
}

func branch(run *facts.Run, last map[int]facts.Process, children map[int][]int, parent, depth int) []processView {
	if depth == maxDepth {
		return nil
	}
	var all []processView
	for _, pid := range children[parent] {
		p := last[pid]
		all = append(all, processView{
			PID: pid, Command: clip(clean(strings.Join(p.Argv, " ")), 200), Notes: processNotes(run, p),
			Children: branch(run, last, children, pid, depth+1),
		})
	}
	return all
}

func processNotes(run *facts.Run, p facts.Process) string {
	var notes []string
	if p.UID != 0 {
		notes = append(notes, fmt.Sprintf("user %d", p.UID))
	}
	for _, l := range run.Listeners() {
		if note := "listens on " + clip(clean(l.Address()), 80); l.PID == p.PID && !slices.Contains(notes, note) && len(notes) < 6 {
			notes = append(notes, note)
		}
	}
	if p.PID == 1 && run.Exit != nil {
		notes = append(notes, clean(exitText(run.Exit)))
	}
	return strings.Join(notes, " · ")
}
