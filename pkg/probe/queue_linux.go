package probe

import "github.com/imglint/imglint/pkg/facts"

const (
	// queuePatience is how long a connection may wait before that is told: a
	// busy program takes it in less.
	queuePatience = second
	// maxQueueTold bounds how often one listener's queue is told.
	maxQueueTold = 20
)

// waiting follows the connections that the kernel took for a listener and that
// the program has not accepted.
type waiting struct {
	since instant // when the queue was last seen to be no longer empty; 0: it is
	again instant // when it may be told again
	last  uint32  // what was told
	times int
}

// queues tells the connections that nobody accepts, until the endpoint is answered.
func (o *observer) queues(now instant) {
	if o.asker.answered() {
		return
	}
	for _, e := range o.tcp.known {
		if e.told && e.overdue(e.queue, now) {
			o.tell(o.tcp, e, facts.EventQueue, now)
		}
	}
}

// overdue reports whether a queue of this length is to be told.
func (w *waiting) overdue(queue uint32, now instant) bool {
	switch {
	case queue == 0:
		w.since = 0
	case w.since == 0:
		w.since = now
	}
	patient := queue > 0 && now-w.since < queuePatience
	if patient || queue == w.last || now < w.again || w.times >= maxQueueTold {
		return false
	}
	w.last, w.again = queue, now+queuePatience
	w.times++
	return true
}
