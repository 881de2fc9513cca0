package probe

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// protocol is one protocol that shows itself by its first bytes.
type protocol struct {
	name    string
	starts  string                 // what the bytes start with
	has     string                 // and contain, in any case
	matches func(data []byte) bool // instead of starts and has
}

// protocols are tried in order: what a server says first, or in answer to an
// HTTP request.
var protocols = []protocol{
	{name: "ssh", starts: "SSH-"},
	{name: "redis", starts: "-ERR "},
	{name: "redis", starts: "-NOAUTH "},
	{name: "redis", starts: "-DENIED "},
	{name: "redis", starts: "-NOPERM "},
	{name: "redis", starts: "+PONG\r\n"},
	{name: "memcached", starts: "ERROR\r\n"},
	{name: "amqp", starts: "AMQP"},
	{name: "smtp", starts: "220", has: "smtp"},
	{name: "smtp", starts: "554", has: "smtp"},
	{name: "ftp", starts: "220", has: "ftp"},
	{name: "pop3", starts: "+OK "},
	{name: "imap", starts: "* OK "},
	{name: "nats", starts: "INFO {"},
	{name: "beanstalkd", starts: "UNKNOWN_COMMAND\r\n"},
	{name: "mpd", starts: "OK MPD "},
	{name: "vnc", starts: "RFB 0"},
	{name: "rsync", starts: "@RSYNCD:"},
	{name: "rtsp", starts: "RTSP/1."},
	{name: "mysql", matches: mysqlPacket}, // MariaDB too
	{name: "h2c", matches: h2Settings},
}

// banner names the protocol that data starts, or "".
func banner(data []byte) string {
	lower := bytes.ToLower(data)
	for _, p := range protocols {
		if !bytes.HasPrefix(data, []byte(p.starts)) || !bytes.Contains(lower, []byte(p.has)) {
			continue
		}
		if p.matches == nil || p.matches(data) {
			return p.name
		}
	}
	return ""
}

// mysqlPacket: the first packet of a server is number 0 and holds either
// protocol version 10 and a server version, or an error.
func mysqlPacket(data []byte) bool {
	if len(data) < 8 || data[3] != 0 {
		return false
	}
	length := int(data[0]) | int(data[1])<<8 | int(data[2])<<16
	if length > len(data)-4 {
		return false
	}
	return data[4] == 0xff || data[4] == 10 && data[5] >= '0' && data[5] <= '9'
}

// h2Settings: an HTTP/2 server's preface is a SETTINGS frame (type 4) on
// stream 0, made of entries of 6 bytes.
func h2Settings(data []byte) bool {
	if len(data) < 9 {
		return false
	}
	length := int(data[0])<<16 | int(data[1])<<8 | int(data[2])
	return data[3] == 4 && length%6 == 0 && binary.BigEndian.Uint32(data[5:9]) == 0
}

// knock is a second question for a port that closed on an HTTP request or
// stayed silent: the first bytes of a protocol whose servers do so. The order
// is such that the servers of a later one hang up on the earlier ones at once,
// or wait for more of them.
type knock struct {
	says []byte
	// hears names the protocol that an answer shows, "" when it shows none;
	// whole: no more is needed to tell.
	hears func(answer []byte) (protocol string, whole bool)
}

// starting is the hears of a protocol whose answers start with the bytes.
func starting(protocol, bytes string) func([]byte) (string, bool) {
	return func(b []byte) (string, bool) {
		if strings.HasPrefix(string(b), bytes) {
			return protocol, true
		}
		return "", false
	}
}

var knocks = []knock{
	// redis hangs up on the Host header before it has answered the first line,
	// and waits for more of the others; memcached hangs up on HTTP.
	{says: []byte("PING\r\n"), hears: func(b []byte) (string, bool) {
		name := banner(b)
		return name, name != ""
	}},
	helloKnock,
	// https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest.
	{says: []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), hears: func(b []byte) (string, bool) {
		if len(b) == 1 && (b[0] == 'S' || b[0] == 'N') {
			return "postgres", true
		}
		return "", false
	}},
	// https://fastcgi-archives.github.io/FastCGI_Specification.html, 4.1:
	// FCGI_GET_VALUES starts no request, and is answered with FCGI_GET_VALUES_RESULT.
	{says: []byte("\x01\x09\x00\x00\x00\x11\x07\x00\x0f\x00FCGI_MPXS_CONNS" + "\x00\x00\x00\x00\x00\x00\x00"),
		hears: starting("fastcgi", "\x01\x0a\x00\x00")},
	// https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html: modifier 100 is
	// a ping, answered with modifier2 set. Debian's uwsgi has that as a plugin
	// that few load; then the request itself, as nginx would pass it on, is
	// answered as HTTP is.
	{says: []byte("\x64\x00\x00\x00"), hears: starting("uwsgi", "\x64\x00\x00\x01")},
	{says: uwsgiRequest(), hears: starting("uwsgi", "HTTP/1.")},
	// RFC 9113, 3.4: a client's preface and an empty SETTINGS frame, for servers
	// that say nothing before.
	{says: []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"),
		hears: func(b []byte) (string, bool) {
			if h2Settings(b) {
				return "h2c", true
			}
			return "", false
		}},
}

// uwsgiRequest is GET / in uwsgi's protocol: modifier1 0 (an application), the
// size of what follows, and pairs of strings, all sizes of 16 bits, low byte first.
func uwsgiRequest() []byte {
	var pairs []byte
	for _, text := range []string{
		"REQUEST_METHOD", "GET", "REQUEST_URI", "/", "PATH_INFO", "/", "QUERY_STRING", "", "SCRIPT_NAME", "",
		"SERVER_PROTOCOL", "HTTP/1.1", "SERVER_NAME", "localhost", "SERVER_PORT", "80", "HTTP_HOST", "localhost",
		"REMOTE_ADDR", "127.0.0.1",
	} {
		pairs = append(append(pairs, byte(len(text)), 0), text...)
	}
	return append([]byte{0, byte(len(pairs)), byte(len(pairs) >> 8), 0}, pairs...)
}
