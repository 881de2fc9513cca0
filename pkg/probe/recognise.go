package probe

import (
	"bytes"
	"strconv"

	"github.com/imglint/imglint/pkg/facts"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 4096

// need tells what more an answer wants.
type need int

const (
	needMore    need = iota // too little to say anything
	needBody                // known, but its first body bytes may say more
	needNothing             // known
)

// recognise tells what the bytes of an answer are. ended: no more will come.
func recognise(data []byte, ended bool) (facts.Answer, need) {
	ended = ended || len(data) >= maxAnswer
	switch start := []byte("HTTP/1."); {
	case len(data) == 0:
		return facts.Answer{}, needMore
	case bytes.HasPrefix(data, start):
		return recogniseHTTP(data, ended)
	case bytes.HasPrefix(start, data) && !ended:
		return facts.Answer{}, needMore
	case tlsRecord(data):
		return facts.Answer{Class: facts.ClassTLS, First: escape(data)}, needNothing
	}
	return facts.Answer{
		Class: facts.ClassOther, Protocol: banner(data), First: escape(data),
	}, needNothing
}

// recogniseHTTP reads the head of an HTTP/1 answer, past interim ones.
func recogniseHTTP(data []byte, ended bool) (facts.Answer, need) {
	head, body, whole := bytes.Cut(data, []byte("\r\n\r\n"))
	if !whole {
		head, body, whole = bytes.Cut(data, []byte("\n\n"))
	}
	if !whole && !ended {
		return facts.Answer{}, needMore
	}
	status, ok := statusOf(head)
	if !ok {
		return facts.Answer{Class: facts.ClassOther, First: escape(data)}, needNothing
	}
	if interim := status >= 100 && status < 200 && status != 101; interim && whole {
		if a, n := recognise(body, ended); n != needMore || !ended {
			return a, n
		}
	}
	a := facts.Answer{
		Class: facts.ClassHTTP, Status: status,
		Location: header(head, "location"), Server: header(head, "server"),
	}
	switch {
	case status == 400 && wantsTLS(data):
		a.Class = facts.ClassTLS
	case bytes.Contains(body, []byte("access MongoDB over HTTP")):
		a.Protocol = "mongodb"
	case ended, !bodyTells(status, head), longEnough(head, body):
		return a, needNothing
	default:
		return a, needBody
	}
	return a, needNothing
}

// bodyTells reports whether a body could show that the port is not what its
// status line says: MongoDB's is 85 bytes long, and a 400 can be from TLS.
func bodyTells(status int, head []byte) bool {
	n, err := strconv.Atoi(header(head, "content-length"))
	return status == 400 || err == nil && n > 0 && n < 128
}

func longEnough(head, body []byte) bool {
	n, err := strconv.Atoi(header(head, "content-length"))
	return err == nil && len(body) >= n
}

// statusOf reads the status of "HTTP/1.1 200 OK".
func statusOf(head []byte) (int, bool) {
	_, rest, _ := bytes.Cut(head, []byte(" "))
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) < 3 || len(rest) > 3 && rest[3] >= '0' && rest[3] <= '9' {
		return 0, false
	}
	status, err := strconv.Atoi(string(rest[:3]))
	return status, err == nil && status >= 100
}

// header returns the first value of a header; name is in lower case.
func header(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if ok && string(bytes.ToLower(key)) == name {
			return string(bytes.ToValidUTF8(bytes.TrimSpace(value), nil))
		}
	}
	return ""
}

// wantsTLS knows what servers say to a plain request on a TLS port.
func wantsTLS(data []byte) bool {
	for _, said := range []string{
		"plain HTTP request was sent to HTTPS port",    // nginx
		"speaking plain HTTP to an SSL-enabled server", // Apache httpd
		"sent an HTTP request to an HTTPS server",      // Go, Caddy
		"combination of host and port requires TLS",    // Tomcat
	} {
		if bytes.Contains(data, []byte(said)) {
			return true
		}
	}
	return false
}

// tlsRecord reports whether data starts with a TLS alert or handshake record.
func tlsRecord(data []byte) bool {
	return len(data) >= 2 && (data[0] == 0x15 || data[0] == 0x16) && data[1] == 3
}

// escape shows the start of data in at most 64 bytes, unprintable ones as Go
// would write them.
func escape(data []byte) string {
	var text []byte
	for _, b := range data {
		n := len(text)
		switch {
		case b == '\r':
			text = append(text, `\r`...)
		case b == '\n':
			text = append(text, `\n`...)
		case b == '\\':
			text = append(text, `\\`...)
		case b >= ' ' && b <= '~':
			text = append(text, b)
		default:
			text = append(text, '\\', 'x', hexDigits[b>>4], hexDigits[b&15])
		}
		if len(text) > 64 {
			return string(text[:n])
		}
	}
	return string(text)
}

const hexDigits = "0123456789abcdef"
