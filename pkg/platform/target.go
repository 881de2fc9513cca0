package platform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/imglint/imglint/pkg/facts"
)

// Overrides are what the user says about this deployment; zero values leave
// the platform's own choice.
type Overrides struct {
	Port       int
	Path       string
	Strict     bool
	BootWindow time.Duration
	// Order is that of the exposed tcp ports in the Dockerfile, which the
	// image does not always keep.
	Order []int
}

// Where a platform documents nothing, these keep imglint patient rather than
// alarming: a release that would pass must not fail here for our guess.
const (
	// tryTimeout: no documented platform gives one request longer than its
	// window, and 60 s is the proxy timeout in front of most of them.
	tryTimeout = 60 * time.Second
	bootWindow = 180 * time.Second
)

// Target works out what the platform demands of this image.
func (p *Platform) Target(img facts.Image, o Overrides) facts.Target {
	t := facts.Target{
		Platform:        p.ID,
		Title:           p.Title,
		BootWindow:      p.Window.Default.or(0).Duration(),
		MaxBootWindow:   p.Window.Max.or(0).Duration(),
		StopGrace:       p.Stop.Grace.or(0).Duration(),
		Architectures:   p.Host.Architectures.or(nil),
		LoopbackReached: p.Host.Loopback.or(false) || p.Host.AsksInside.or(false),
		LoopbackServed:  p.Host.Loopback.or(false),
		PrivilegedPorts: tri(p.Host.PrivilegedPorts),
		Healthcheck:     p.Probe.Healthcheck.or(false),
		Settings: facts.Settings{
			Port:       p.Endpoint.Setting.or(nil),
			BootWindow: p.Window.Setting.or(nil),
			Strict:     p.Probe.StrictSetting.or(nil),
		},
	}
	assume := func(format string, args ...any) { t.Assumed = append(t.Assumed, fmt.Sprintf(format, args...)) }
	t.Endpoint = p.endpoint(img, o, assume)
	t.Probe = p.probe(o, assume)
	t.Probe.Loopback = t.LoopbackReached
	t.Env = p.env(t.Endpoint.Port)
	t.Endpoint.Injected = p.Endpoint.Injected.or(false) && t.Endpoint.Port != 0
	t.Endpoint.Named = t.Endpoint.Named || p.Endpoint.Choice.Value == Configured
	t.Says = p.says()
	switch {
	case o.BootWindow > 0:
		t.BootWindow = o.BootWindow
	case t.BootWindow == 0:
		t.BootWindow = bootWindow
		assume("a boot window of %v", bootWindow)
	}
	return t
}

func tri(f *Fact[bool]) facts.Tri {
	switch {
	case f == nil:
		return facts.Unknown
	case f.Value:
		return facts.Yes
	}
	return facts.No
}

// env is what the platform adds, as far as the values are known.
func (p *Platform) env(port int) []string {
	var env []string
	if p.Endpoint.Injected.or(false) && port != 0 {
		env = append(env, "PORT="+strconv.Itoa(port))
	}
	for _, v := range p.Environment {
		if v.Value != nil {
			env = append(env, v.Name+"="+v.Value.Value)
		}
	}
	return env
}

func (p *Platform) probe(o Overrides, assume func(string, ...any)) facts.Probe {
	c := p.check(o, assume)
	host := c.Host.or("")
	if host == "address" {
		host = ""
	}
	host = strings.ReplaceAll(host, "<name>", "app")
	probe := facts.Probe{
		TCP:        !c.asksHTTP(),
		Method:     c.Method.or("GET"),
		Path:       c.Path.or("/"),
		Host:       host,
		Accept:     c.Accept.or(nil),
		TryTimeout: c.Timeout.or(0).Duration(),
		Follow:     c.Follow.or(facts.FollowNone),
	}
	if c.Protocol.Value == HTTP && p.Probe.Headers != nil {
		probe.Headers = []string{p.Probe.Headers.Value}
	}
	if o.Path != "" {
		probe.Path = "/" + strings.TrimPrefix(o.Path, "/")
	}
	if probe.TryTimeout == 0 {
		probe.TryTimeout = tryTimeout
		assume("%v for one try", tryTimeout)
	}
	switch {
	case !c.asksHTTP() && c.Protocol.Value != TCP:
		assume("a connection to the port: the platform itself asks none (%s)", c.Protocol.Value)
	case c.Protocol.Value == HTTP && c.Host == nil:
		assume("the container's address as the Host header")
	}
	if c.Protocol.Value == HTTP && c.Accept == nil {
		probe.Accept = []facts.StatusRange{{From: 200, To: 399}}
		assume("statuses 200 to 399 as good")
	}
	return probe
}

// check is the form of the question that the user's settings lead to.
func (p *Platform) check(o Overrides, assume func(string, ...any)) Check {
	c := p.Probe.Default
	if o.Path != "" {
		c = c.with(p.Probe.Path)
	}
	if o.Strict {
		if p.Probe.Strict == nil {
			assume("no strict mode: %s has none", p.Title)
		}
		c = c.with(p.Probe.Strict)
	}
	return c
}

// asksHTTP reports whether the check is a request: a command inside the
// container may be one as well.
func (c Check) asksHTTP() bool {
	return c.Protocol.Value == HTTP || c.Protocol.Value == Command && c.Accept != nil
}

// with returns the check with everything replaced that other says.
func (c Check) with(other *Check) Check {
	if other == nil {
		return c
	}
	return Check{
		Protocol:  either(other.Protocol, c.Protocol),
		Method:    either(other.Method, c.Method),
		Path:      either(other.Path, c.Path),
		Host:      either(other.Host, c.Host),
		Accept:    either(other.Accept, c.Accept),
		Timeout:   either(other.Timeout, c.Timeout),
		Redirects: either(other.Redirects, c.Redirects),
		Follow:    either(other.Follow, c.Follow),
	}
}

func either[T any](f, other *Fact[T]) *Fact[T] {
	if f != nil {
		return f
	}
	return other
}

// exposed returns the image's tcp ports in order of their number.
func exposed(img facts.Image) []int {
	var ports []int
	for _, p := range img.Config.Exposed {
		if p.Protocol == "tcp" {
			ports = append(ports, p.Number)
		}
	}
	slices.Sort(ports)
	return ports
}
