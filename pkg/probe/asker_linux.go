package probe

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/imglint/imglint/pkg/facts"
	"golang.org/x/sys/unix"
)

const (
	maxDoors   = 32
	maxAsks    = 8 // connections at one time
	defaultTry = 5 * second
)

// asker asks the open ports what the platform would ask.
type asker struct {
	*emitter
	requests []Request  // the first one is made on other ports as well
	address  netip.Addr // the container's own; invalid: there is none
	doors    []*door
}

// changed takes the listeners of a port after one of them opened or closed.
func (a *asker) changed(port int, listeners []*entry, now instant) {
	slices.SortFunc(listeners, func(x, y *entry) int {
		return cmp.Or(preference(x.socket)-preference(y.socket), x.addr.Compare(y.addr))
	})
	for i, r := range a.requests {
		if i == 0 || r.Endpoint == port || r.Endpoint == 0 {
			a.changedFor(i, port, listeners, now)
		}
	}
}

// changedFor keeps the door of one request; listeners are in order of preference.
func (a *asker) changedFor(request, port int, listeners []*entry, now instant) {
	endpoint := port == a.requests[request].Endpoint
	i := slices.IndexFunc(a.doors, func(d *door) bool { return d.port == port && d.request == request })
	if i < 0 {
		if len(listeners) == 0 || len(a.doors) >= maxDoors && !endpoint {
			return
		}
		i = len(a.doors)
		a.doors = append(a.doors, &door{port: port, request: request, endpoint: endpoint})
	}
	d := a.doors[i]
	if len(listeners) == 0 {
		d.open = false
		return
	}
	d.opened(a.address, listeners[0].socket, now)
}

// preference orders the listeners of one port: the one that can be asked over
// IPv4 first.
func preference(s socket) int {
	switch addr := s.addr.Unmap(); {
	case addr.IsUnspecified() && !s.v6only:
		return 0
	case addr.Is4():
		return 1
	}
	return 2
}

// again asks the endpoint anew, as if nothing had been said: what it answered
// before the main process ended proves nothing about what is left.
func (a *asker) again(now instant) {
	for _, d := range a.doors {
		if d.endpoint {
			d.outside.passed, d.outside.last, d.inside.last = false, facts.Answer{}, facts.Answer{}
			d.outside.again(now)
		}
	}
}

// answered reports whether an endpoint gave an answer that is good enough.
func (a *asker) answered() bool {
	return slices.ContainsFunc(a.doors, func(d *door) bool { return d.endpoint && (d.outside.passed || d.inside.passed) })
}

// run starts what is due, ends what took too long, and returns when to be
// called again.
func (a *asker) run(now instant) instant {
	// The endpoint has the word: a question elsewhere could disturb it.
	busy := slices.ContainsFunc(a.doors, func(d *door) bool { return d.endpoint && d.open })
	running := 0
	for _, d := range a.doors {
		if d.ask != nil && now >= d.ask.deadline {
			d.ask.expire(now)
			a.collect(d, now)
		}
		if t, _ := d.due(now); t != nil && running < maxAsks && (d.endpoint || !busy) && !a.occupied(d) {
			a.start(d, t, now)
		}
		if d.ask != nil {
			running++
		}
	}
	next := never
	for _, d := range a.doors {
		if d.ask != nil {
			next = min(next, d.ask.deadline)
		} else if _, at := d.due(now); running < maxAsks && (d.endpoint || !busy) && !a.occupied(d) {
			next = min(next, at)
		}
	}
	return next
}

// occupied reports whether another request's question to the same port is
// still open: many servers handle one connection at a time.
func (a *asker) occupied(d *door) bool {
	return slices.ContainsFunc(a.doors, func(other *door) bool {
		return other != d && other.port == d.port && other.ask != nil
	})
}

func (a *asker) start(d *door, t *target, now instant) {
	d.asked, d.path, d.hops = t, "", 0
	a.send(d, now)
	a.collect(d, now)
}

// send makes the door's question, at the place that redirects have led to.
func (a *asker) send(d *door, now instant) {
	probe := a.requests[d.request].Probe
	patience := instant(probe.TryTimeout)
	if patience <= 0 {
		patience = defaultTry
	}
	if d.path != "" {
		probe.Path = d.path
	}
	to := netip.AddrPortFrom(d.asked.to, uint16(d.port))
	d.ask = newAsk(to, request(probe, to), d.asked.knocked, now, patience)
}

// maxHops is how many redirects Go's client follows, which the platforms that
// follow any are written with.
const maxHops = 10

// follow asks again where a redirect of the platform's kind leads, once the
// server has ended its answer; true: this answer is not the last one.
func (a *asker) follow(d *door, now instant) bool {
	k, probe := d.ask, a.requests[d.request].Probe
	if probe.Follow == facts.FollowNone || k.told || k.answer.Class != facts.ClassHTTP || k.knock >= 0 || d.hops >= maxHops {
		return false
	}
	if d.path != "" {
		probe.Path = d.path
	}
	path, ok := redirected(probe, k.to, k.answer)
	if !ok {
		return false
	}
	if k.stage == finished {
		d.path, d.hops = path, d.hops+1
		a.send(d, now)
		a.collect(d, now)
	}
	return true
}

// collect takes the outcome of a finished question.
func (a *asker) collect(d *door, now instant) {
	if a.follow(d, now) {
		return
	}
	k := d.ask
	if k.stage == draining && k.open == nil && k.answer.Class != "" && !k.told {
		k.told = true
		a.tell(d, now)
	}
	if k.stage != finished {
		return
	}
	if !k.told {
		a.tell(d, now)
	}
	t := d.asked
	d.ask, d.asked = nil, nil
	if k.knock >= 0 {
		t.knocked++
	}
	d.settle(t, k.answer, a.requests[d.request].Probe, now)
}

// tell emits the answer unless it says what the last one said.
func (a *asker) tell(d *door, now instant) {
	k, t := d.ask, d.asked
	answer := k.answer
	answer.Followed = d.path
	if same(answer, t.last) {
		return
	}
	t.last = answer
	answer.To, answer.Port, answer.Request = t.to, d.port, d.request
	answer.Asked, answer.Took = a.since(k.sent), facts.Millis((k.ended-k.sent)/millisecond)
	a.emit(now, facts.Event{Kind: facts.EventAnswer, Answer: &answer})
}

// watch appends the connections to wait for.
func (a *asker) watch(fds []unix.PollFd) []unix.PollFd {
	for _, d := range a.doors {
		if d.ask != nil && d.ask.fd >= 0 {
			fds = append(fds, unix.PollFd{Fd: int32(d.ask.fd), Events: d.ask.events()})
		}
	}
	return fds
}

// ready goes on with a connection that poll reported.
func (a *asker) ready(fd int32, now instant) {
	for _, d := range a.doors {
		if d.ask != nil && d.ask.fd == int(fd) {
			d.ask.ready(now)
			a.collect(d, now)
			return
		}
	}
}
