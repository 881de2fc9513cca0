package probe

import (
	"net/netip"
	"path"
	"strings"

	"github.com/imglint/imglint/pkg/facts"
)

// redirected returns the path that an answer leads to, if that is on the same
// host, port and scheme: nothing else can be asked from here.
func redirected(p facts.Probe, to netip.AddrPort, a facts.Answer) (string, bool) {
	switch a.Status {
	case 301, 302, 303, 307, 308:
	default:
		return "", false
	}
	location, _, _ := strings.Cut(a.Location, "#")
	rest, absolute := strings.CutPrefix(location, "http:")
	if host, ok := strings.CutPrefix(rest, "//"); ok {
		at := strings.IndexAny(host, "/?")
		if at < 0 {
			host, at = host+"/", len(host)
		}
		asked := hostOf(p, to)
		return rooted(host[at:]), strings.EqualFold(host[:at], asked)
	}
	scheme, _, _ := strings.Cut(location, "/")
	switch {
	case location == "", absolute, strings.Contains(scheme, ":"):
		return "", false
	case strings.HasPrefix(location, "/"):
		return location, true
	}
	here, _, _ := strings.Cut(p.Path, "?")
	if strings.HasPrefix(location, "?") {
		return rooted(here) + location, true
	}
	name, query, asks := strings.Cut(location, "?")
	joined := path.Join(path.Dir(rooted(here)), name)
	if strings.HasSuffix(name, "/") && joined != "/" {
		joined += "/"
	}
	if asks {
		joined += "?" + query
	}
	return joined, true
}

func rooted(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}
