package probe

import (
	"bytes"
	"encoding/binary"
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
// is such that the servers of a later one hang up on the earlier ones at once.
type knock struct {
	says  []byte
	hears func(answer []byte) (protocol string, ok bool)
}

var knocks = []knock{
	// redis hangs up on the Host header before it has answered the first line,
	// and waits for more of the other two; memcached hangs up on HTTP.
	{says: []byte("PING\r\n"), hears: func(b []byte) (string, bool) {
		name := banner(b)
		return name, name != ""
	}},
	{says: clientHello, hears: func(b []byte) (string, bool) { return "tls", tlsRecord(b) }},
	// https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest.
	{says: []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), hears: func(b []byte) (string, bool) {
		return "postgres", len(b) == 1 && (b[0] == 'S' || b[0] == 'N')
	}},
}

// clientHello is a TLS 1.2 and 1.3 greeting with one group and common suites.
// Its key share is not a usable one; a server answers with a HelloRetryRequest,
// a TLS 1.2 ServerHello or an alert, and each tells that it speaks TLS.
var clientHello = buildHello()

func buildHello() []byte {
	extensions := concat(
		extension(43, "\x04\x03\x04\x03\x03"),     // supported_versions: 1.3, 1.2
		extension(10, "\x00\x04\x00\x1d\x00\x17"), // supported_groups: x25519, P-256
		extension(11, "\x01\x00"),                 // ec_point_formats: uncompressed
		extension(13, "\x00\x0c\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01"),
		extension(51, "\x00\x00"), // key_share: none yet
	)
	suites := "\x13\x01\x13\x02\x13\x03\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xc0\x13\xc0\x14\x00\x9c\x00\x2f\x00\x35"
	body := concat(
		[]byte("\x03\x03"), make([]byte, 32), []byte{0},
		sized(2, []byte(suites)), []byte("\x01\x00"), sized(2, extensions),
	)
	return concat([]byte("\x16\x03\x01"), sized(2, concat([]byte{1}, sized(3, body))))
}

func extension(id byte, body string) []byte {
	return concat([]byte{0, id}, sized(2, []byte(body)))
}

// sized prefixes body with its length in n bytes.
func sized(n int, body []byte) []byte {
	out := make([]byte, 0, n+len(body))
	for i := n - 1; i >= 0; i-- {
		out = append(out, byte(len(body)>>(8*i)))
	}
	return append(out, body...)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
