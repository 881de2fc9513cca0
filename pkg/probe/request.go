package probe

import (
	"net/netip"

	"github.com/imglint/imglint/pkg/facts"
)

// request returns the bytes that the platform would send to an address. It
// asks for no kept-alive connection: an idle one would block a server that
// handles one at a time.
func request(p facts.Probe, to netip.AddrPort) []byte {
	method, path, host := p.Method, p.Path, p.Host
	if method == "" {
		method = "GET"
	}
	if path == "" {
		path = "/"
	}
	if host == "" {
		host = to.String()
	}
	return []byte(method + " " + path + " HTTP/1.1\r\nHost: " + host +
		"\r\nUser-Agent: imglint\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}
