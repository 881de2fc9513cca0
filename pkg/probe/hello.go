package probe

import (
	"bytes"
	"encoding/binary"
)

// tlsProtocol is what the knock of TLS hears.
const tlsProtocol = "tls"

// helloKnock asks for TLS, and which protocol would be spoken over it.
var helloKnock = knock{says: clientHello, hears: func(b []byte) (string, bool) {
	if !tlsRecord(b) {
		return "", false
	}
	_, whole := negotiated(b)
	return tlsProtocol, whole
}}

// clientHello is a greeting of TLS 1.2, whose answer tells the protocol (ALPN)
// in clear text: that of 1.3 is encrypted. A server that speaks 1.3 alone
// answers with an alert, which tells that it speaks TLS.
var clientHello = buildHello()

func buildHello() []byte {
	extensions := concat(
		extension(10, "\x00\x04\x00\x1d\x00\x17"), // supported_groups: x25519, P-256
		extension(11, "\x01\x00"),                 // ec_point_formats: uncompressed
		extension(13, "\x00\x0c\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01"),
		extension(alpnExtension, "\x00\x0c\x02h2\x08http/1.1"), // RFC 7301
	)
	suites := "\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xc0\x13\xc0\x14\x00\x9c\x00\x2f\x00\x35"
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

const (
	alpnExtension      = 16
	alertRecord        = 0x15
	noApplicationAlert = 120 // no_application_protocol: RFC 7301, 3.2
	serverHello        = 2
	helloFixed         = 4 + 2 + 32 // a handshake message up to its session ID
)

// NoALPN is the ALPN of a server that refuses HTTP over TLS.
const NoALPN = "none"

// negotiated reads which protocol a server takes over TLS from its answer to
// clientHello: NoALPN when it refuses both, "" when it does not care to say.
func negotiated(data []byte) (alpn string, whole bool) {
	if len(data) < 7 {
		return "", false
	}
	if data[0] == alertRecord {
		if data[6] == noApplicationAlert {
			return NoALPN, true
		}
		return "", true
	}
	message := data[5:]
	if len(message) < helloFixed || message[0] != serverHello {
		return "", len(message) >= helloFixed
	}
	size := 4 + int(message[1])<<16 + int(message[2])<<8 + int(message[3])
	if len(message) < size {
		return "", false
	}
	rest := message[helloFixed:size]
	_, rest = block(1, rest)        // session ID
	rest = rest[min(3, len(rest)):] // cipher suite, compression
	extensions, _ := block(2, rest)
	for len(extensions) >= 4 {
		id := binary.BigEndian.Uint16(extensions)
		var body []byte
		body, extensions = block(2, extensions[2:])
		if id == alpnExtension {
			list, _ := block(2, body)
			name, _ := block(1, list)
			return string(bytes.ToValidUTF8(name, nil)), true
		}
	}
	return "", true
}

// block reads what follows its length of n bytes; what is cut off is short.
func block(n int, data []byte) (body, rest []byte) {
	if len(data) < n {
		return nil, nil
	}
	size := 0
	for _, b := range data[:n] {
		size = size<<8 | int(b)
	}
	data = data[n:]
	size = min(size, len(data))
	return data[:size], data[size:]
}
