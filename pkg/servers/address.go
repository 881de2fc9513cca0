package servers

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

var twistedAddress = regexp.MustCompile(`^tcp:(?:port=)?(\d+)(?::interface=([^:]+))?$`)

// split takes an address apart.
func (g addressGrammar) split(text string) (host string, port int, err error) {
	if g.Twisted {
		return splitTwisted(text)
	}
	if g.Strip != "" {
		text = regexp.MustCompile(g.Strip).ReplaceAllString(text, "")
	}
	scheme := false
	for _, s := range g.Schemes {
		if rest, ok := strings.CutPrefix(text, s); ok {
			text, scheme = rest, true
		}
	}
	if strings.Contains(text, "://") || strings.Contains(text, ",") || strings.ContainsAny(text, " $") {
		return "", 0, fmt.Errorf("it is not an address that it understands")
	}
	host, number, hasPort := cutPort(text)
	_, notNumber := portNumber(text)
	if !hasPort && notNumber == nil && g.Number != "host" {
		if g.Number == "error" {
			return "", 0, fmt.Errorf("it is a port without a host")
		}
		host, number, hasPort = g.PortHost, text, true
	}
	switch {
	case g.Require && !scheme && (g.Number != "port" || host != ""):
		return "", 0, fmt.Errorf("it does not start with %s", g.Schemes[0])
	case !hasPort && g.HostOnly == "error":
		return "", 0, fmt.Errorf("it has no port")
	case hasPort:
		if port, err = portNumber(number); err != nil {
			return "", 0, err
		}
	default:
		port = g.Port
	}
	host, err = g.host(host)
	return host, port, err
}

func splitTwisted(text string) (host string, port int, err error) {
	m := twistedAddress.FindStringSubmatch(text)
	if m == nil {
		return "", 0, fmt.Errorf("imglint does not know this form")
	}
	port, err = portNumber(m[1])
	return orElse(m[2], "0.0.0.0"), port, err
}

func (g addressGrammar) host(host string) (string, error) {
	switch {
	case host == "" && g.EmptyHost != "":
		return g.EmptyHost, nil
	case host == "*" && g.Star != "":
		return g.Star, nil
	case host == "0" && g.Zero != "":
		return g.Zero, nil
	case host == "" || host == "*":
		return "", fmt.Errorf("it has no host")
	}
	if _, err := strconv.Atoi(host); err == nil {
		return "", fmt.Errorf("its host is a number")
	}
	return host, nil
}

// cutPort splits HOST:PORT; IPv6 addresses stand in brackets.
func cutPort(text string) (host, port string, ok bool) {
	if rest, found := strings.CutPrefix(text, "["); found {
		host, rest, _ = strings.Cut(rest, "]")
		port, ok = strings.CutPrefix(rest, ":")
		return host, port, ok
	}
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// scope tells who can reach a host.
func scope(host string, v6only bool) facts.Scope {
	host = strings.Trim(host, "[]")
	switch strings.ToLower(host) {
	case "", "*", "0.0.0.0":
		return facts.ScopeAny
	case "localhost", "localhost.localdomain", "ip6-localhost":
		return facts.ScopeLoopback
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return facts.ScopeUnknown
	case ip.IsUnspecified() && v6only:
		return facts.ScopeAny6
	case ip.IsUnspecified():
		return facts.ScopeAny
	case ip.Unmap().IsLoopback():
		return facts.ScopeLoopback
	}
	return facts.ScopeAddress
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
