package probe

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/imglint/imglint/pkg/facts"
)

var ignoreFirst = cmpopts.IgnoreFields(facts.Answer{}, "First", "To")

func TestRecognise(t *testing.T) {
	t.Parallel()
	http := func(status int) facts.Answer { return facts.Answer{Class: facts.ClassHTTP, Status: status} }
	other := func(protocol string) facts.Answer {
		return facts.Answer{Class: facts.ClassOther, Protocol: protocol}
	}
	tests := map[string]struct {
		data  string
		ended bool
		want  facts.Answer
		need  need
	}{
		"nothing yet":          {need: needMore},
		"nothing at all":       {ended: true, need: needMore},
		"half a word":          {data: "HTT", need: needMore},
		"half a head":          {data: "HTTP/1.1 200 OK\r\nServer: x\r\n", need: needMore},
		"head cut off":         {data: "HTTP/1.1 200 OK\r\nServer: x\r\n", ended: true, want: facts.Answer{Class: facts.ClassHTTP, Status: 200, Server: "x"}, need: needNothing},
		"200":                  {data: "HTTP/1.1 200 OK\r\n\r\n", want: http(200), need: needNothing},
		"no reason":            {data: "HTTP/1.0 204\r\n\r\n", want: http(204), need: needNothing},
		"bare line feeds":      {data: "HTTP/1.1 404 Not Found\nServer: x\n\n", want: facts.Answer{Class: facts.ClassHTTP, Status: 404, Server: "x"}, need: needNothing},
		"redirect":             {data: "HTTP/1.1 301 Moved\r\nLOCATION:  https://x/ \r\n\r\n", want: facts.Answer{Class: facts.ClassHTTP, Status: 301, Location: "https://x/"}, need: needNothing},
		"early hints":          {data: "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", want: http(200), need: needNothing},
		"early hints only":     {data: "HTTP/1.1 103 Early\r\n\r\n", need: needMore},
		"early hints, then no": {data: "HTTP/1.1 103 Early\r\n\r\n", ended: true, want: http(103), need: needNothing},
		"400 may be TLS":       {data: "HTTP/1.1 400 Bad\r\n\r\n", want: http(400), need: needBody},
		"400 was not":          {data: "HTTP/1.1 400 Bad\r\n\r\nno", ended: true, want: http(400), need: needNothing},
		"not a status":         {data: "HTTP/1.1 20000 OK\r\n\r\n", want: other(""), need: needNothing},
		"no status":            {data: "HTTP/1.1\r\n\r\n", want: other(""), need: needNothing},
		"TLS by nginx": {
			data: "HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\n\r\n<html><head><title>400 The plain HTTP request was sent to HTTPS port</title>",
			want: facts.Answer{Class: facts.ClassTLS, Status: 400, Server: "nginx/1.22.1"}, need: needNothing,
		},
		"TLS by Apache": {
			data: "HTTP/1.1 400 Bad Request\r\n\r\n<p>Your browser sent a request that this server could not understand.<br />\nReason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
			want: facts.Answer{Class: facts.ClassTLS, Status: 400}, need: needNothing,
		},
		"TLS by Go": {
			data: "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
			want: facts.Answer{Class: facts.ClassTLS, Status: 400}, need: needNothing,
		},
		"TLS alert": {data: "\x15\x03\x01\x00\x02\x02\x46", want: facts.Answer{Class: facts.ClassTLS}, need: needNothing},
		"mongodb": {
			data: "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n",
			want: facts.Answer{Class: facts.ClassHTTP, Status: 200, Protocol: "mongodb"}, need: needNothing,
		},
		"short body to come": {data: "HTTP/1.0 200 OK\r\nContent-Length: 85\r\n\r\n", want: http(200), need: needBody},
		"short body is here": {data: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", want: http(200), need: needNothing},

		"ssh":              {data: "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", want: other("ssh"), need: needNothing},
		"redis":            {data: "-ERR wrong number of arguments for 'get' command\r\n", want: other("redis"), need: needNothing},
		"redis protected":  {data: "-DENIED Redis is running in protected mode", want: other("redis"), need: needNothing},
		"redis password":   {data: "-NOAUTH Authentication required.\r\n", want: other("redis"), need: needNothing},
		"memcached":        {data: "ERROR\r\n", want: other("memcached"), need: needNothing},
		"amqp":             {data: "AMQP\x00\x00\x09\x01", want: other("amqp"), need: needNothing},
		"smtp":             {data: "220 mail.example.org ESMTP Exim 4.96\r\n", want: other("smtp"), need: needNothing},
		"ftp":              {data: "220 (vsFTPd 3.0.3)\r\n", want: other("ftp"), need: needNothing},
		"mysql":            {data: "\x4a\x00\x00\x00\x0a8.0.36\x00" + string(make([]byte, 70)), want: other("mysql"), need: needNothing},
		"mariadb":          {data: "\x5a\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00" + string(make([]byte, 70)), want: other("mysql"), need: needNothing},
		"mysql says no":    {data: "\x06\x00\x00\x00\xffj\x04Host", want: other("mysql"), need: needNothing},
		"h2c":              {data: "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00", want: other("h2c"), need: needNothing},
		"nats":             {data: "INFO {\"server_id\":\"x\"}\r\n", want: other("nats"), need: needNothing},
		"something":        {data: "howdy\r\n", want: other(""), need: needNothing},
		"something binary": {data: "\x00\x01\x02", want: other(""), need: needNothing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, need := recognise([]byte(tt.data), tt.ended)
			if need != tt.need {
				t.Errorf("need %d, want %d", need, tt.need)
			}
			if diff := cmp.Diff(tt.want, got, ignoreFirst); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	long := make([]byte, 40)
	tests := map[string]struct{ in, want string }{
		"text":  {"+PONG\r\n", `+PONG\r\n`},
		"quote": {`a "b" \`, `a "b" \\`},
		"bytes": {"\x00\xff\x1b", `\x00\xff\x1b`},
		"bound": {string(long), `\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := escape([]byte(tt.in)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	probe := facts.Probe{Method: "GET", Path: "/up", Host: "containers"}
	rest := "\r\nUser-Agent: imglint\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	tests := map[string]struct {
		probe facts.Probe
		to    string
		want  string
	}{
		"outside": {probe, "198.18.0.2:80", "GET /up HTTP/1.1\r\nHost: containers" + rest},
		"no host": {facts.Probe{Method: "HEAD", Path: "/"}, "198.18.0.2:80", "HEAD / HTTP/1.1\r\nHost: 198.18.0.2:80" + rest},
		"inside":  {probe, "127.0.0.1:8000", "GET /up HTTP/1.1\r\nHost: localhost:8000" + rest},
		"empty":   {facts.Probe{}, "[::1]:80", "GET / HTTP/1.1\r\nHost: localhost:80" + rest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(request(tt.probe, netip.MustParseAddrPort(tt.to)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}
