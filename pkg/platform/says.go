package platform

import "maps"

// Moment is when a release fails, as far as a platform's words tell it apart.
type Moment string

// The moments, each with the rules whose findings come then.
const (
	Ends        Moment = "ends"        // the container ended or never started
	Unreachable Moment = "unreachable" // nobody answers where the platform asks
	Refused     Moment = "refused"     // the answer is not the one that is wanted
	Late        Moment = "late"        // there was no answer in time
)

var moments = map[Moment][]string{
	Ends: {
		"no-command", "command-not-found", "command-not-executable", "wrong-architecture", "interactive-command", "daemonizes",
		"exits-at-once", "out-of-memory", "missing-environment", "privileged-port", "unexpanded-variable", "root-refused",
	},
	Unreachable: {
		"loopback-bind", "ipv6-only-bind", "unexposed-port", "wrong-endpoint-port", "port-env-ignored", "never-listens", "unreachable-dependency",
	},
	Refused: {"status-refused", "host-refused", "https-redirect"},
	Late:    {"slow-boot", "slow-response", "gunicorn-worker-timeout", "puma-worker-timeout", "not-http", "tls-on-port"},
}

// Moments returns the rules of every moment; rules that are in none say
// nothing about a running image.
func Moments() map[Moment][]string { return maps.Clone(moments) }

// otherwise is the key of Platform.Says for rules that it has no words for.
const otherwise = "otherwise"

// says is what a user reads when the check fails, by rule.
func (p *Platform) says() map[string]string {
	if p.Errors == nil {
		return nil
	}
	says := map[string]string{"": p.Errors.Value[0]}
	if words, ok := p.Says[otherwise]; ok {
		says[""] = words
	}
	for moment, rules := range moments {
		if words, ok := p.Says[string(moment)]; ok {
			for _, rule := range rules {
				says[rule] = words
			}
		}
	}
	for rule, words := range p.Says {
		if _, ok := moments[Moment(rule)]; !ok && rule != otherwise {
			says[rule] = words
		}
	}
	return says
}
