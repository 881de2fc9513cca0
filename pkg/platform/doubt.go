package platform

import (
	"fmt"
	"slices"
)

// Topic is what a verdict can rest on.
type Topic string

// The topics that a platform's documents can leave open.
const (
	TopicPort     Topic = "port"     // which one is asked
	TopicReach    Topic = "reach"    // whether 127.0.0.1 is reached
	TopicAsk      Topic = "ask"      // whether anything is asked at all
	TopicStatus   Topic = "status"   // which statuses are good
	TopicRedirect Topic = "redirect" // which redirects are followed
	TopicHost     Topic = "host"     // the Host header
	TopicTry      Topic = "try"      // how long one try may take
	TopicWindow   Topic = "window"   // how long the first answer may take
)

// Doubt says in a sentence what a verdict assumes about a topic, because the
// platform does not document it or the claim is weak; "" where it is sure.
func (p *Platform) Doubt(topic Topic, o Overrides) string {
	c := p.check(o, func(string, ...any) {})
	switch topic {
	case TopicPort:
		if p.Doubt(TopicAsk, o) != "" {
			return "" // that says more
		}
		return p.doubtPort(o)
	case TopicReach:
		return doubt(p, p.Host.Loopback, "whether it reaches 127.0.0.1", "it is taken not to")
	case TopicAsk:
		if asks := c.Protocol.Value; asks == Uptime || asks == Command && !c.asksHTTP() {
			return fmt.Sprintf("%s asks no port by itself: this is what its users' requests will meet", p.Title)
		}
	case TopicStatus:
		return doubt(p, c.Accept, "which statuses it accepts", "200 to 399 are taken for good")
	case TopicRedirect:
		return doubt(p, c.Redirects, "whether it follows redirects", "it is taken not to")
	case TopicHost:
		return doubt(p, c.Host, "the Host header that it sends", "it is taken to be the container's address")
	case TopicTry:
		return doubt(p, c.Timeout, "how long one try may take", fmt.Sprintf("%v are given", tryTimeout))
	case TopicWindow:
		if o.BootWindow == 0 {
			return doubt(p, p.Window.Default, "how long it waits", fmt.Sprintf("%v are given", bootWindow))
		}
	}
	return ""
}

func (p *Platform) doubtPort(o Overrides) string {
	if o.Port != 0 {
		return ""
	}
	if p.Endpoint.Choice.Value == Configured && p.Endpoint.Default == nil {
		return fmt.Sprintf("%s asks the port that is named when deploying: say it with --port", p.Title)
	}
	if text := doubt(p, p.Endpoint.Choice, "how it chooses the port", ""); text != "" || p.Endpoint.Default == nil {
		return text
	}
	return doubt(p, p.Endpoint.Default, "its default port", "")
}

// weak claims are those that no document or source of the vendor makes.
var weak = []Confidence{Reported, Inferred}

// doubt says what is not known of a claim and what is done about it.
func doubt[T any](p *Platform, f *Fact[T], about, instead string) string {
	switch {
	case f == nil:
		return fmt.Sprintf("%s does not document %s: %s", p.Title, about, instead)
	case f.Confidence == Inferred:
		return fmt.Sprintf("%s: %s is inferred from %s, not documented", p.Title, about, p.Sources[f.Source])
	case slices.Contains(weak, f.Confidence):
		return fmt.Sprintf("%s: %s is known from users' reports, not documented", p.Title, about)
	}
	return ""
}
