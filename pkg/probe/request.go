package probe

import (
	"net/netip"
	"strconv"

	"github.com/imglint/imglint/pkg/facts"
)

// request returns the bytes that the platform would send to an address, and to
// a loopback address those that a developer's curl would: a server that
// refuses the platform's Host header shows itself by the difference. No
// connection is kept alive: an idle one would block a server that handles one
// at a time.
func request(p facts.Probe, to netip.AddrPort) []byte {
	method, path := p.Method, p.Path
	if method == "" {
		method = "GET"
	}
	if path == "" {
		path = "/"
	}
	headers := ""
	for _, h := range p.Headers {
		headers += h + "\r\n"
	}
	return []byte(method + " " + path + " HTTP/1.1\r\nHost: " + hostOf(p, to) +
		"\r\nUser-Agent: imglint\r\nAccept: */*\r\n" + headers + "Connection: close\r\n\r\n")
}

// hostOf is the Host header of a request to an address.
func hostOf(p facts.Probe, to netip.AddrPort) string {
	switch {
	case to.Addr().IsLoopback():
		return "localhost:" + strconv.Itoa(int(to.Port()))
	case p.Host == "":
		return to.String()
	}
	return p.Host
}
