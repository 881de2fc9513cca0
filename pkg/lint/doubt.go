package lint

import (
	"github.com/imglint/imglint/pkg/facts"
	"github.com/imglint/imglint/pkg/finding"
	"github.com/imglint/imglint/pkg/platform"
)

// restsOn tells by rule what of the platform's demand its finding rests on.
var restsOn = map[string][]platform.Topic{
	"loopback-bind":       {platform.TopicReach, platform.TopicAsk},
	"ipv6-only-bind":      {platform.TopicAsk},
	"unexposed-port":      {platform.TopicPort, platform.TopicAsk},
	"wrong-endpoint-port": {platform.TopicPort, platform.TopicAsk},
	"port-env-ignored":    {platform.TopicPort, platform.TopicAsk},
	"missing-expose":      {platform.TopicPort, platform.TopicAsk},
	"empty-expose":        {platform.TopicPort, platform.TopicAsk},
	"udp-only-expose":     {platform.TopicPort, platform.TopicAsk},
	"never-listens":       {platform.TopicAsk, platform.TopicWindow},
	"status-refused":      {platform.TopicStatus, platform.TopicRedirect},
	"https-redirect":      {platform.TopicRedirect},
	"host-refused":        {platform.TopicHost},
	"slow-response":       {platform.TopicTry},
	"slow-boot":           {platform.TopicWindow},
}

// doubt adds to a finding what the verdict assumes, because the platform does
// not document it. A manifest says all that there is to say.
func (c *check) doubt(f *finding.Finding) {
	if c.Workload != nil || c.Platform == nil {
		return
	}
	for _, topic := range restsOn[f.Rule] {
		if topic == platform.TopicRedirect && !c.redirected() {
			continue
		}
		if text := c.Platform.Doubt(topic, c.Overrides); text != "" {
			f.Evidence = append(f.Evidence, finding.Evidence{Kind: "assumed", Text: text})
		}
	}
}

// redirected reports whether the last answer on the platform's port is a redirect.
func (c *check) redirected() bool {
	if c.facts.Run == nil {
		return false
	}
	last := 0
	for _, e := range c.facts.Run.Answers(c.facts.Target.Endpoint.Port) {
		if e.Answer.Class == facts.ClassHTTP && !e.Answer.Loopback() {
			last = e.Answer.Status
		}
	}
	return last >= 300 && last < 400
}

// assumedGood says what a pass rests on that is not documented, "" when
// nothing is: any platform takes 200.
func (c *check) assumedGood(status int) string {
	if c.Workload != nil || c.Platform == nil || status < 300 || c.facts.Target.Probe.TCP {
		return ""
	}
	return c.Platform.Doubt(platform.TopicStatus, c.Overrides)
}
