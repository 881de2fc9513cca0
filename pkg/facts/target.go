package facts

import (
	"strconv"
	"strings"
	"time"
)

// Target is what one platform demands of the image.
type Target struct {
	Platform string   `json:"platform"` // catalogue id: "aptible"
	Title    string   `json:"title,omitempty"`
	Endpoint Endpoint `json:"endpoint"`
	Probe    Probe    `json:"probe"`
	// BootWindow is how long the platform waits for the first good answer.
	BootWindow time.Duration `json:"bootWindow"`
	// Env is what the platform adds to the environment, KEY=VALUE.
	Env []string `json:"env,omitempty"`
	// MaxBootWindow is the largest boot window that can be set; 0: not known.
	MaxBootWindow time.Duration `json:"maxBootWindow,omitempty"`
	// StopGrace is how long a stopping container has between SIGTERM and
	// SIGKILL; 0: not known.
	StopGrace time.Duration `json:"stopGrace,omitempty"`
	// Architectures lists what the platform runs, GOARCH spelling; empty: not known.
	Architectures []string `json:"architectures,omitempty"`
	// LoopbackReached: the platform asks from inside the container's network,
	// so a listener on 127.0.0.1 is enough.
	LoopbackReached bool `json:"loopbackReached,omitempty"`
	// LoopbackServed: its users' requests come that way as well.
	LoopbackServed bool `json:"loopbackServed,omitempty"`
	// PrivilegedPorts: a user other than root may bind a port below 1024.
	PrivilegedPorts Tri `json:"privilegedPorts,omitempty"`
	// Healthcheck: the image's HEALTHCHECK is what the platform goes by.
	Healthcheck bool     `json:"healthcheck,omitempty"`
	Settings    Settings `json:"settings,omitzero"`
	// Service names the process type of a Procfile that runs, "" without one.
	Service string `json:"service,omitempty"`
	// Says is what the platform tells its user when the check fails, by the
	// rule that fires; "" holds for the others.
	Says map[string]string `json:"says,omitempty"`
	// Assumed lists what the platform does not document and imglint chose, for a reader.
	Assumed []string `json:"assumed,omitempty"`
}

// Settings is what a user types to change what the platform demands: every
// way there is, the current one first.
type Settings struct {
	Port       []string `json:"port,omitempty"`
	BootWindow []string `json:"bootWindow,omitempty"`
	Strict     []string `json:"strict,omitempty"`
}

// Endpoint is the port the platform sends its probe to.
type Endpoint struct {
	Port int `json:"port,omitempty"` // 0: the platform cannot know one
	// ChosenBy tells how, for a reader: "lowest exposed port, compared as text".
	ChosenBy string `json:"chosenBy,omitempty"`
	// Explicit: the user named the port, so EXPOSE does not matter.
	Explicit bool `json:"explicit,omitempty"`
	// Injected: the program is told the port as PORT.
	Injected bool `json:"injected,omitempty"`
	// Named: whoever deploys the image names the port; EXPOSE is not read.
	Named bool `json:"named,omitempty"`
	// Scanned: the platform looks for open ports, and any that others can reach will do.
	Scanned bool `json:"scanned,omitempty"`
	// Others are further ports that are asked, or get requests, as Port is.
	Others []int `json:"others,omitempty"`
}

// Probe is the request the platform makes.
type Probe struct {
	// TCP: the platform only opens a connection. The request below is then
	// made to see who is there, and any answer will do.
	TCP    bool   `json:"tcp,omitempty"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Host   string `json:"host"` // "": the address that is asked, ADDRESS:PORT
	// Accept lists the accepted statuses; empty: any HTTP answer will do.
	Accept []StatusRange `json:"accept,omitempty"`
	// TryTimeout bounds one request.
	TryTimeout time.Duration `json:"tryTimeout"`
	// Loopback: the request comes from inside, so that an answer of 127.0.0.1
	// counts.
	Loopback bool `json:"loopback,omitempty"`
	// Headers are sent besides Host, "Name: value".
	Headers []string `json:"headers,omitempty"`
	// Follow tells which redirects the platform follows.
	Follow Follow `json:"follow,omitempty"`
}

// Follow names the redirects that are followed.
type Follow string

// The redirects. Of those that lead elsewhere imglint, which reaches nothing
// but the container, sees where they point and no more.
const (
	FollowNone Follow = ""          // the redirect is the answer
	FollowSame Follow = "same-host" // within the host that is asked; others are the answer
	FollowAll  Follow = "all"
)

// StatusRange is an inclusive range of HTTP statuses.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Accepted says in words which answers are good.
func (p Probe) Accepted() string {
	switch {
	case p.TCP:
		return "a connection"
	case len(p.Accept) == 0:
		return "any status"
	}
	parts := make([]string, len(p.Accept))
	for i, r := range p.Accept {
		parts[i] = strconv.Itoa(r.From)
		if r.To != r.From {
			parts[i] += "-" + strconv.Itoa(r.To)
		}
	}
	return "status " + strings.Join(parts, ", ")
}

// Accepts reports whether an HTTP status passes the probe.
func (p Probe) Accepts(status int) bool {
	if len(p.Accept) == 0 {
		return status >= 100 && status <= 999
	}
	for _, r := range p.Accept {
		if status >= r.From && status <= r.To {
			return true
		}
	}
	return false
}

// Passes reports whether the outcome of one probe request is good enough.
func (p Probe) Passes(a Answer) bool {
	switch a.Class {
	case ClassRefused, ClassFailed:
		return false
	case ClassHTTP, ClassTLS:
		// Many TLS servers explain themselves to plain HTTP with a 400.
		return p.TCP || a.Status != 0 && p.Accepts(a.Status)
	}
	return p.TCP
}
