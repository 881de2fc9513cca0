package probe

import (
	"slices"

	"github.com/imglint/imglint/pkg/facts"
)

// survivor is a process that was there after the program had ended.
type survivor struct {
	*process
	ended instant // 0: it lives
}

// firstLook finds what the program left. A process that was killed by a signal
// as the program ended was left too, and lived for 0 ms: dumb-init sends
// SIGTERM to its group, which ends a daemon that has no session of its own yet.
func (w *wrapped) firstLook(now instant) {
	changed, ended := w.processes.scan()
	w.tellProcesses(changed, now)
	w.reap(now)
	for _, p := range slices.Concat(w.lately, ended) {
		status, reaped := w.reaped[p.PID]
		if p.PID != w.program && reaped && status.Signaled() {
			w.survivors = append(w.survivors, &survivor{process: p, ended: now})
		}
	}
	for _, p := range w.processes.known {
		w.survivors = append(w.survivors, &survivor{process: p})
	}
}

// followSurvivors looks what became of them, and finishes the run when it has
// seen enough.
func (w *wrapped) followSurvivors(now instant) instant {
	changed, ended := w.processes.scan()
	w.tellProcesses(changed, now)
	for _, p := range ended {
		if s := w.survivor(p); s != nil {
			s.ended = now
		}
	}
	for _, p := range changed {
		if s := w.survivor(p); s != nil {
			s.process = p
		} else {
			w.survivors = append(w.survivors, &survivor{process: p})
		}
	}
	watched := now - w.ended
	if !w.left() || watched >= w.watch || watched >= min(enoughWatch, w.watch) && w.tcp.any() {
		w.finish(now)
	}
	return after(now, clock(), survivorPause)
}

func (w *wrapped) survivor(p *process) *survivor {
	i := slices.IndexFunc(w.survivors, func(s *survivor) bool {
		return s.identity() == p.identity()
	})
	if i < 0 {
		return nil
	}
	return w.survivors[i]
}

// left reports whether any process is alive, one without a command line too.
func (w *wrapped) left() bool {
	for _, pid := range pids() {
		if w.processes.own[pid] {
			continue
		}
		if p, ok := w.processes.stat(pid); ok && !w.processes.before[p.identity()] {
			return true
		}
	}
	return false
}

// finish tells every survivor and how long it lived.
func (w *wrapped) finish(now instant) {
	w.reap(now) // what was just seen to have ended
	slices.SortFunc(w.survivors, func(a, b *survivor) int { return a.PID - b.PID })
	for _, s := range w.survivors[:min(len(w.survivors), maxSurvivors)] {
		end := s.ended
		if end == 0 {
			end = now
		}
		p := s.Process
		p.Alive = facts.Millis((end - w.ended) / millisecond)
		if status, ok := w.reaped[p.PID]; ok && s.ended != 0 {
			exit := exitOf(w.since(s.ended), status)
			p.Exit = &exit
		}
		w.emit(now, facts.Event{Kind: facts.EventSurvivor, Process: &p})
	}
	w.finished = true
}
